-- Deployed by migration 0001. Do not edit: a change is a new file, a new function name and a new migration.

-- One command with everything known about it before it is carried out.
CREATE TYPE ledger_step_v1 AS (
    n integer,               -- place in the batch
    prior_id bigint,         -- the transfer that has this key already (a replay), else null
    refusal text,
    key text, kind text, content uuid, debit_id text, credit_id text,
    amount_minor bigint,
    posted_minor bigint,     -- what this posts
    pending_minor bigint,    -- what this adds to (or, negative, takes from) the open holds
    currency text, reason text, workflow_id text, held_until timestamptz,
    target_id bigint, group_key text, note text, happened_at timestamptz
);

-- Carries out a batch, all of it or nothing, in the caller's transaction.
--   accounts: [{id, currency, side, floor, pool, hot}]       the accounts that the batch names, each once
--   batch:    [{n, s, key, kind, content, debit, credit, amount, currency, reason, workflow, until, target, grp, note, at}]
--   segments: 1 + the greatest s. Commands of one segment do not depend on each other; Python starts a new segment at a
--             command that names a key of the current one. Segments run in order.
--   follow_ups: whether there is any command but post and hold
-- Returns {"done": [[n, id, amount, currency, created_at, replayed]], "lines": [[n, account, balance, held]]}
-- or {"refused": code, "key": …, "account": …}. A refusal is a result, not an error, so the caller's transaction lives on.
-- Raises 40001, 40P01, 55P03 (try again) and 22003 (amount too large).
-- Planner settings: each statement is planned once per connection, always by index, however small the tables were then.
CREATE FUNCTION ledger_post_v1(accounts json, batch json, segments integer, follow_ups boolean) RETURNS json
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    attempt integer := 0;
    steps ledger_step_v1[];
    missing boolean; clash text; bad integer; fresh_count integer; voids boolean; breach_n integer; breach_account text;
    done json; lines json; all_done json[]; all_lines json[];
    refused json;
    moment timestamptz;
BEGIN
<<attempts>>
LOOP
    all_done := '{}'; all_lines := '{}';
    BEGIN -- a subtransaction: what a refusal or a lost race has written so far is undone
        FOR look IN 1..2 LOOP
            SELECT coalesce(bool_or(a.id IS NULL), false),
                   min(w.id) FILTER (WHERE (a.currency, a.side, a.pool, a.hot) <> (w.currency, w.side, w.pool, w.hot)
                                           OR a.floor_minor IS DISTINCT FROM w.floor)
              INTO missing, clash
              FROM json_to_recordset(accounts)
                   AS w(id text, currency text, side text, floor bigint, pool boolean, hot boolean)
              LEFT JOIN ledger_accounts a ON a.id = w.id;
            EXIT WHEN NOT missing;
            INSERT INTO ledger_accounts (id, currency, side, floor_minor, pool, hot, version,
                                         debits_posted, debits_pending, credits_posted, credits_pending)
            SELECT w.id, w.currency, w.side, w.floor, w.pool, w.hot, 0, 0, 0, 0, 0
              FROM json_to_recordset(accounts)
                   AS w(id text, currency text, side text, floor bigint, pool boolean, hot boolean)
             ORDER BY w.id
                ON CONFLICT (id) DO NOTHING;
        END LOOP;
        IF clash IS NOT NULL THEN
            refused := json_build_object('refused', 'account_differs', 'account', clash);
            RAISE SQLSTATE 'KV001';
        END IF;

        IF segments > 1 THEN -- all locks before the first segment, so that the order holds over the whole batch
            PERFORM 1 FROM ledger_accounts a
              WHERE NOT a.pool AND a.id IN (
                  SELECT w.id FROM json_to_recordset(accounts) AS w(id text)
                  UNION
                  SELECT unnest(ARRAY[t.debit_id, t.credit_id])
                    FROM json_to_recordset(batch) AS c(target text) JOIN ledger_transfers t ON t.key = c.target)
              ORDER BY a.hot, a.id FOR NO KEY UPDATE;
        END IF;

        FOR segment IN 0..segments - 1 LOOP
            IF NOT follow_ups THEN
                SELECT array_agg(ROW(c.n, p.id, NULL, c.key, c.kind, c.content, c.debit, c.credit, c.amount,
                           CASE c.kind WHEN 'post' THEN c.amount ELSE 0 END,
                           CASE c.kind WHEN 'hold' THEN c.amount ELSE 0 END, c.currency, c.reason, c.workflow, c.until,
                           NULL, c.grp, coalesce(c.note, ''), c.at)::ledger_step_v1 ORDER BY c.n),
                       min(c.n) FILTER (WHERE p.content <> c.content),
                       count(*) FILTER (WHERE p.id IS NULL)
                  INTO steps, bad, fresh_count
                  FROM json_to_recordset(batch)
                       AS c(n integer, s integer, key text, kind text, content uuid, debit text, credit text,
                            amount bigint, currency text, reason text, workflow text, until timestamptz, grp text,
                            note text, at timestamptz)
                  LEFT JOIN ledger_transfers p ON p.key = c.key
                 WHERE c.s = segment;
            END IF;
            -- Follow-ups need their targets; and which of two refusals a reused key deserves is said there alone.
            IF follow_ups OR bad IS NOT NULL THEN
                FOR look IN 1..2 LOOP
                    SELECT array_agg(ROW(c.n, p.id, v.refusal, c.key, c.kind, c.content,
                               CASE c.kind WHEN 'reverse' THEN t.credit_id ELSE coalesce(c.debit, t.debit_id) END,
                               CASE c.kind WHEN 'reverse' THEN t.debit_id ELSE coalesce(c.credit, t.credit_id) END,
                               v.amount,
                               CASE WHEN c.kind IN ('post', 'capture', 'reverse') THEN v.amount ELSE 0 END,
                               CASE WHEN c.kind = 'hold' THEN v.amount
                                    WHEN c.kind IN ('capture', 'release', 'expire') THEN -t.amount_minor ELSE 0 END,
                               coalesce(c.currency, t.currency), coalesce(c.reason, t.reason),
                               coalesce(c.workflow, t.workflow_id), c.until, v.target, coalesce(c.grp, t.group_key),
                               coalesce(c.note, ''), c.at)::ledger_step_v1 ORDER BY c.n),
                           min(c.n) FILTER (WHERE v.refusal IS NOT NULL AND v.refusal <> 'void'),
                           count(*) FILTER (WHERE p.id IS NULL),
                           bool_or(v.refusal = 'void')
                      INTO steps, bad, fresh_count, voids
                      FROM json_to_recordset(batch)
                           AS c(n integer, s integer, key text, kind text, content uuid, debit text, credit text,
                                amount bigint, currency text, reason text, workflow text, until timestamptz, target text,
                                grp text, note text, at timestamptz)
                      LEFT JOIN ledger_transfers p ON p.key = c.key
                      LEFT JOIN ledger_transfers t ON t.key = c.target                       -- what it names
                      LEFT JOIN ledger_transfers f ON f.target_id = t.id                     -- what followed that
                      LEFT JOIN ledger_transfers g ON g.target_id = f.id AND t.kind = 'hold' -- a captured hold's reversal
                     CROSS JOIN LATERAL (
                        SELECT CASE WHEN c.kind IN ('post', 'hold') THEN c.amount
                                    WHEN c.kind = 'reverse' AND t.kind = 'hold' THEN f.amount_minor
                                    ELSE coalesce(c.amount, t.amount_minor) END,
                               CASE WHEN c.kind = 'reverse' AND t.kind = 'hold' THEN f.id ELSE t.id END,
                               CASE WHEN p.content = c.content THEN NULL
                                    WHEN p.kind = 'void' AND c.kind = 'hold' THEN 'hold_released'
                                    WHEN p.id IS NOT NULL THEN 'key_reused'
                                    WHEN c.kind IN ('post', 'hold') THEN NULL
                                    WHEN t.id IS NULL THEN CASE c.kind WHEN 'release' THEN 'void' ELSE 'not_found' END
                                    WHEN c.kind = 'reverse' THEN
                                        CASE WHEN t.kind = 'hold' AND f.kind = 'capture' THEN
                                                 CASE WHEN g.id IS NOT NULL THEN 'already_reversed' END
                                             WHEN t.kind IN ('post', 'capture') THEN
                                                 CASE WHEN f.id IS NOT NULL THEN 'already_reversed' END
                                             ELSE 'not_reversible' END
                                    WHEN t.kind NOT IN ('hold', 'void') THEN 'not_a_hold'
                                    WHEN f.id IS NOT NULL THEN 'hold_resolved'
                                    WHEN c.kind = 'capture' AND c.currency <> t.currency THEN 'currency_differs'
                                    WHEN c.kind = 'capture' AND c.amount > t.amount_minor THEN 'capture_too_large'
                                    WHEN c.kind = 'expire' AND (t.held_until > clock_timestamp()) IS NOT FALSE
                                        THEN 'hold_not_expired'
                               END OFFSET 0) AS v(amount, target, refusal)
                     WHERE c.s = segment;
                    EXIT WHEN bad IS NOT NULL OR NOT voids;
                    -- A release without its hold takes the hold's key. If that hold is in flight, this waits for its end,
                    -- and the second look sees which of the two came first.
                    INSERT INTO ledger_transfers (key, kind, content, amount_minor, reason, note, happened_at, created_at)
                    SELECT c.target, 'void', '00000000-0000-0000-0000-000000000000', 0, 'released before it was held', '',
                           clock_timestamp(), clock_timestamp()
                      FROM json_to_recordset(batch) AS c(n integer, target text)
                      JOIN unnest(steps) s ON s.n = c.n AND s.refusal = 'void'
                     ORDER BY c.target
                        ON CONFLICT (key) DO NOTHING;
                END LOOP;
            END IF;
            IF bad IS NOT NULL THEN
                SELECT json_build_object('refused', s.refusal, 'key', s.key) INTO refused
                  FROM unnest(steps) s WHERE s.n = bad;
                RAISE SQLSTATE 'KV001';
            END IF;

            IF fresh_count < cardinality(steps) THEN
                SELECT json_agg(json_build_array(s.n, t.id, t.amount_minor, t.currency, t.created_at, true))
                  INTO done FROM unnest(steps) s JOIN ledger_transfers t ON t.id = s.prior_id;
                SELECT json_agg(json_build_array(s.n, e.account_id, e.balance_after, e.held_after) ORDER BY e.id)
                  INTO lines
                  FROM unnest(steps) s
                  JOIN ledger_transfers t ON t.id = s.prior_id
                 CROSS JOIN LATERAL (VALUES (t.debit_id, t.id * 2), (t.credit_id, t.id * 2 + 1)) x(account_id, id)
                  JOIN ledger_entries e ON e.account_id = x.account_id AND e.id = x.id
                 WHERE e.version IS NOT NULL;
                all_done := all_done || done; all_lines := all_lines || coalesce(lines, '[]');
                CONTINUE WHEN fresh_count = 0; -- a replay takes no lock
            END IF;

            PERFORM 1 FROM ledger_accounts a
              WHERE NOT a.pool AND a.id = ANY (
                  ARRAY(SELECT unnest(ARRAY[s.debit_id, s.credit_id]) FROM unnest(steps) s WHERE s.prior_id IS NULL))
              ORDER BY a.hot, a.id FOR NO KEY UPDATE;
            moment := clock_timestamp();

            WITH fresh AS MATERIALIZED (
                SELECT nextval('ledger_transfers_id_seq') AS id, s.*
                  FROM unnest(steps) s WHERE s.prior_id IS NULL
            ), lines AS MATERIALIZED (
                SELECT f.n, e.id, f.id AS transfer_id, e.side, f.posted_minor, f.pending_minor,
                       coalesce(f.happened_at, moment) AS happened_at, a.id AS account_id, a.pool, a.floor_minor,
                       a.version + row_number() OVER so_far AS version, d.posted, d.held,
                       b.balance + sum(d.posted) OVER so_far AS balance_after,
                       b.held + sum(d.held) OVER so_far AS held_after
                  FROM fresh f
                 CROSS JOIN LATERAL (VALUES (f.id * 2, 'debit', f.debit_id), (f.id * 2 + 1, 'credit', f.credit_id))
                            e(id, side, account_id)
                  JOIN ledger_accounts a ON a.id = e.account_id
                 CROSS JOIN LATERAL (
                    SELECT CASE e.side WHEN a.side THEN f.posted_minor ELSE -f.posted_minor END,
                           CASE e.side WHEN a.side THEN 0 ELSE f.pending_minor END) d(posted, held)
                 CROSS JOIN LATERAL (
                    SELECT CASE a.side WHEN 'credit' THEN a.credits_posted - a.debits_posted
                                       ELSE a.debits_posted - a.credits_posted END,
                           CASE a.side WHEN 'credit' THEN a.debits_pending ELSE a.credits_pending END) b(balance, held)
                WINDOW so_far AS (PARTITION BY a.id ORDER BY f.n ROWS UNBOUNDED PRECEDING)
            ), breach AS MATERIALIZED (
                SELECT l.n, l.account_id FROM lines l WHERE l.balance_after - l.held_after < l.floor_minor
                 ORDER BY l.n LIMIT 1
            ), transfers AS (
                INSERT INTO ledger_transfers (id, key, kind, content, debit_id, credit_id, amount_minor, currency, reason,
                       workflow_id, held_until, target_id, group_key, note, happened_at, created_at)
                SELECT f.id, f.key, f.kind, f.content, f.debit_id, f.credit_id, f.amount_minor, f.currency, f.reason,
                       f.workflow_id, f.held_until, f.target_id, f.group_key, f.note,
                       coalesce(f.happened_at, moment), moment
                  FROM fresh f
                RETURNING id
            ), entries AS (
                INSERT INTO ledger_entries (account_id, id, transfer_id, side, posted_minor, pending_minor, version,
                       balance_before, balance_after, held_before, held_after, happened_at, created_at)
                SELECT l.account_id, l.id, l.transfer_id, l.side, l.posted_minor, l.pending_minor, k.version,
                       k.balance - l.posted, k.balance, k.held - l.held, k.held, l.happened_at, moment
                  FROM lines l
                  LEFT JOIN LATERAL (SELECT l.version, l.balance_after AS balance, l.held_after AS held
                                      WHERE NOT l.pool) k ON true
            ), balances AS (
                UPDATE ledger_accounts a
                   SET version = a.version + m.lines,
                       debits_posted = a.debits_posted + m.debits_posted,
                       debits_pending = a.debits_pending + m.debits_pending,
                       credits_posted = a.credits_posted + m.credits_posted,
                       credits_pending = a.credits_pending + m.credits_pending
                  FROM (SELECT l.account_id, count(*) AS lines,
                               coalesce(sum(l.posted_minor) FILTER (WHERE l.side = 'debit'), 0) AS debits_posted,
                               coalesce(sum(l.pending_minor) FILTER (WHERE l.side = 'debit'), 0) AS debits_pending,
                               coalesce(sum(l.posted_minor) FILTER (WHERE l.side = 'credit'), 0) AS credits_posted,
                               coalesce(sum(l.pending_minor) FILTER (WHERE l.side = 'credit'), 0) AS credits_pending
                          FROM lines l WHERE NOT l.pool GROUP BY l.account_id) m
                 WHERE a.id = m.account_id AND NOT EXISTS (SELECT FROM breach)
                   AND EXISTS (SELECT FROM transfers) -- keys and targets are refereed before any balance is touched
            ), tail AS (
                INSERT INTO ledger_rollups (account_id, debits_posted, debits_pending, credits_posted, credits_pending,
                       lines)
                SELECT l.account_id,
                       coalesce(sum(l.posted_minor) FILTER (WHERE l.side = 'debit'), 0),
                       coalesce(sum(l.pending_minor) FILTER (WHERE l.side = 'debit'), 0),
                       coalesce(sum(l.posted_minor) FILTER (WHERE l.side = 'credit'), 0),
                       coalesce(sum(l.pending_minor) FILTER (WHERE l.side = 'credit'), 0),
                       count(*)
                  FROM lines l WHERE l.pool GROUP BY l.account_id
            )
            SELECT (SELECT json_agg(json_build_array(f.n, f.id, f.amount_minor, f.currency, moment, false)) FROM fresh f),
                   (SELECT json_agg(json_build_array(l.n, l.account_id, l.balance_after, l.held_after) ORDER BY l.id)
                      FROM lines l WHERE NOT l.pool),
                   (SELECT b.n FROM breach b), (SELECT b.account_id FROM breach b)
              INTO done, lines, breach_n, breach_account;
            IF breach_n IS NOT NULL THEN
                SELECT json_build_object('refused', 'insufficient_funds', 'key', s.key, 'account', breach_account)
                  INTO refused FROM unnest(steps) s WHERE s.n = breach_n;
                RAISE SQLSTATE 'KV001';
            END IF;
            all_done := all_done || done; all_lines := all_lines || coalesce(lines, '[]');
        END LOOP;
        RETURN json_build_object('done', all_done, 'lines', all_lines);
    EXCEPTION
        WHEN SQLSTATE 'KV001' THEN
            RETURN refused; -- variables keep their values when the block is undone
        WHEN unique_violation THEN
            -- Another transaction won the key, or the hold, and has committed: look again, now seeing its result.
            attempt := attempt + 1;
            IF attempt >= 5 THEN
                RAISE serialization_failure USING MESSAGE = 'the key or the hold is contended';
            END IF;
    END;
END LOOP;
END $$;
