-- Every row is a violation. Read by ledger/invariants.py at run time; no migration deploys it.
WITH line_sums AS ( -- what the lines say of each account
    SELECT e.account_id, count(*) AS lines,
           coalesce(sum(e.posted_minor) FILTER (WHERE e.side = 'debit'), 0) AS debits_posted,
           coalesce(sum(e.pending_minor) FILTER (WHERE e.side = 'debit'), 0) AS debits_pending,
           coalesce(sum(e.posted_minor) FILTER (WHERE e.side = 'credit'), 0) AS credits_posted,
           coalesce(sum(e.pending_minor) FILTER (WHERE e.side = 'credit'), 0) AS credits_pending
      FROM ledger_entries e GROUP BY e.account_id
), kept AS ( -- what is kept as each account's balances: its row, or a pool's roll-up and tail
    SELECT a.id, a.currency, a.side, a.floor_minor, a.pool,
           CASE WHEN a.pool THEN coalesce(r.lines, 0) ELSE a.version END AS lines,
           a.debits_posted + coalesce(r.debits_posted, 0) AS debits_posted,
           a.debits_pending + coalesce(r.debits_pending, 0) AS debits_pending,
           a.credits_posted + coalesce(r.credits_posted, 0) AS credits_posted,
           a.credits_pending + coalesce(r.credits_pending, 0) AS credits_pending
      FROM ledger_accounts a
      LEFT JOIN (SELECT account_id, sum(lines) AS lines, sum(debits_posted) AS debits_posted,
                        sum(debits_pending) AS debits_pending, sum(credits_posted) AS credits_posted,
                        sum(credits_pending) AS credits_pending
                   FROM ledger_rollups GROUP BY account_id) r ON r.account_id = a.id
), open_holds AS (
    SELECT h.* FROM ledger_transfers h
     WHERE h.kind = 'hold' AND NOT EXISTS (SELECT FROM ledger_transfers f WHERE f.target_id = h.id)
), promised AS (
    SELECT x.account_id, sum(x.debit) AS debits_pending, sum(x.credit) AS credits_pending
      FROM open_holds h
     CROSS JOIN LATERAL (VALUES (h.debit_id, h.amount_minor, 0), (h.credit_id, 0, h.amount_minor))
                x(account_id, debit, credit)
     GROUP BY x.account_id
), chain AS (
    SELECT e.*, a.side AS normal, a.floor_minor, a.pool,
           row_number() OVER w AS place,
           lag(e.balance_after, 1, 0) OVER w AS balance_left, lag(e.held_after, 1, 0) OVER w AS held_left
      FROM ledger_entries e JOIN ledger_accounts a ON a.id = e.account_id
     WHERE NOT a.pool
    WINDOW w AS (PARTITION BY e.account_id ORDER BY e.version)
), expected_lines AS ( -- what each transfer should have written
    SELECT t.id AS transfer_id, t.key, x.id, x.side, x.account_id, t.currency,
           CASE WHEN t.kind IN ('post', 'capture', 'reverse') THEN t.amount_minor ELSE 0 END AS posted_minor,
           CASE WHEN t.kind = 'hold' THEN t.amount_minor
                WHEN t.kind IN ('capture', 'release', 'expire') THEN -h.amount_minor ELSE 0 END AS pending_minor
      FROM ledger_transfers t
      LEFT JOIN ledger_transfers h ON h.id = t.target_id
     CROSS JOIN LATERAL (VALUES (t.id * 2, 'debit', t.debit_id), (t.id * 2 + 1, 'credit', t.credit_id))
                x(id, side, account_id)
     WHERE t.debit_id IS NOT NULL
)
SELECT 'currency_sums_to_zero' AS rule, k.currency AS subject,
       format('debits %s, credits %s; pending debits %s, credits %s', sum(k.debits_posted), sum(k.credits_posted),
              sum(k.debits_pending), sum(k.credits_pending)) AS detail
  FROM kept k GROUP BY k.currency
HAVING sum(k.debits_posted) <> sum(k.credits_posted) OR sum(k.debits_pending) <> sum(k.credits_pending)
UNION ALL
SELECT 'lines_sum_to_zero', t.currency, format('debits minus credits is %s',
       sum(CASE e.side WHEN 'debit' THEN e.posted_minor ELSE -e.posted_minor END))
  FROM ledger_entries e JOIN ledger_transfers t ON t.id = e.transfer_id GROUP BY t.currency
HAVING sum(CASE e.side WHEN 'debit' THEN e.posted_minor ELSE -e.posted_minor END) <> 0
    OR sum(CASE e.side WHEN 'debit' THEN e.pending_minor ELSE -e.pending_minor END) <> 0
UNION ALL
SELECT 'balance_is_sum_of_lines', coalesce(k.id, s.account_id),
       format('kept %s, lines %s', row(k.lines, k.debits_posted, k.debits_pending, k.credits_posted, k.credits_pending),
              row(s.lines, s.debits_posted, s.debits_pending, s.credits_posted, s.credits_pending))
  FROM kept k FULL JOIN line_sums s ON s.account_id = k.id
 WHERE k.id IS NULL
    OR (k.lines, k.debits_posted, k.debits_pending, k.credits_posted, k.credits_pending) IS DISTINCT FROM
       (coalesce(s.lines, 0), coalesce(s.debits_posted, 0), coalesce(s.debits_pending, 0),
        coalesce(s.credits_posted, 0), coalesce(s.credits_pending, 0))
UNION ALL
SELECT 'pool_row_stays_zero', a.id, 'the row of a pool holds a balance'
  FROM ledger_accounts a
 WHERE a.pool AND (a.version, a.debits_posted, a.debits_pending, a.credits_posted, a.credits_pending) <> (0, 0, 0, 0, 0)
UNION ALL
SELECT 'rollup_names_a_pool', r.account_id, 'a roll-up of an account that is no pool'
  FROM ledger_rollups r
 WHERE NOT EXISTS (SELECT FROM ledger_accounts a WHERE a.id = r.account_id AND a.pool)
UNION ALL
SELECT 'chain_is_unbroken', c.account_id,
       format('line %s has version %s; balance %s then %s, held %s then %s', c.place, c.version, c.balance_left,
              c.balance_after, c.held_left, c.held_after)
  FROM chain c
 WHERE c.version IS DISTINCT FROM c.place
    OR c.balance_before IS DISTINCT FROM c.balance_left
    OR c.held_before IS DISTINCT FROM c.held_left
    OR c.balance_after IS DISTINCT FROM
       c.balance_before + CASE c.side WHEN c.normal THEN c.posted_minor ELSE -c.posted_minor END
    OR c.held_after IS DISTINCT FROM c.held_before + CASE c.side WHEN c.normal THEN 0 ELSE c.pending_minor END
UNION ALL
SELECT 'line_above_floor', c.account_id, format('line %s leaves %s available', c.version, c.balance_after - c.held_after)
  FROM chain c WHERE c.balance_after - c.held_after < c.floor_minor
UNION ALL
SELECT 'available_above_floor', k.id, format('floor %s', k.floor_minor)
  FROM kept k
 WHERE k.lines > 0 AND CASE k.side WHEN 'credit' THEN k.credits_posted - k.debits_posted - k.debits_pending
                   ELSE k.debits_posted - k.credits_posted - k.credits_pending END < k.floor_minor
UNION ALL
SELECT 'pendings_are_open_holds', k.id,
       format('pending debits %s, credits %s; open holds %s, %s', k.debits_pending, k.credits_pending,
              coalesce(p.debits_pending, 0), coalesce(p.credits_pending, 0))
  FROM kept k LEFT JOIN promised p ON p.account_id = k.id
 WHERE (k.debits_pending, k.credits_pending) <> (coalesce(p.debits_pending, 0), coalesce(p.credits_pending, 0))
UNION ALL
SELECT 'followed_up_once', min(t.key), format('%s transfers follow it up', count(*))
  FROM ledger_transfers f JOIN ledger_transfers t ON t.id = f.target_id GROUP BY t.id HAVING count(*) > 1
UNION ALL
SELECT 'key_used_once', t.key, format('%s transfers', count(*)) FROM ledger_transfers t GROUP BY t.key HAVING count(*) > 1
UNION ALL
SELECT 'follow_up_fits', f.key, format('%s of %s follows %s of %s', f.kind, f.amount_minor, t.kind, t.amount_minor)
  FROM ledger_transfers f JOIN ledger_transfers t ON t.id = f.target_id
 WHERE CASE
       WHEN f.kind = 'capture' THEN
           t.kind = 'hold' AND f.amount_minor <= t.amount_minor
           AND (f.debit_id, f.credit_id, f.currency) = (t.debit_id, t.credit_id, t.currency)
       WHEN f.kind IN ('release', 'expire') AND t.kind = 'hold' THEN
           (f.amount_minor, f.debit_id, f.credit_id, f.currency) = (t.amount_minor, t.debit_id, t.credit_id, t.currency)
       WHEN f.kind = 'release' THEN t.kind = 'void' AND f.debit_id IS NULL
       WHEN f.kind = 'reverse' THEN
           t.kind IN ('post', 'capture')
           AND (f.amount_minor, f.debit_id, f.credit_id, f.currency) =
               (t.amount_minor, t.credit_id, t.debit_id, t.currency)
       END IS NOT TRUE
UNION ALL
SELECT 'void_is_released', v.key, 'the tombstone of a hold has no release'
  FROM ledger_transfers v
 WHERE v.kind = 'void' AND NOT EXISTS (SELECT FROM ledger_transfers f WHERE f.target_id = v.id AND f.kind = 'release')
UNION ALL
SELECT 'transfer_has_its_two_lines', coalesce(x.key, e.account_id),
       format('line %s of transfer %s', coalesce(x.id, e.id), coalesce(x.transfer_id, e.transfer_id))
  FROM expected_lines x
  FULL JOIN ledger_entries e ON e.account_id = x.account_id AND e.id = x.id
 WHERE (x.transfer_id, x.side, x.posted_minor, x.pending_minor) IS DISTINCT FROM
       (e.transfer_id, e.side, e.posted_minor, e.pending_minor)
UNION ALL
SELECT 'one_currency', x.key, format('%s in account %s', x.currency, x.account_id)
  FROM expected_lines x LEFT JOIN ledger_accounts a ON a.id = x.account_id
 WHERE a.currency IS DISTINCT FROM x.currency
 ORDER BY 1, 2
