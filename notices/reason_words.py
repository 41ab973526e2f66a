"""Why something did not happen, as people read it: one sentence by code and language.

Codes that mean the same to a reader share a sentence. `payout:1` is a provider's own code of a payout, `prompt:1` of a
prompt to a payer: the same number means another thing there. No sentence holds a fact that differs from case to case, and
each fits into an SMS beside what it explains.
"""

from typing import Final

# Codes, English, Swahili.
WORDS: Final[tuple[tuple[str, str, str], ...]] = (
    # ------------------------------------------------------------------------------------------------ the loan itself
    ("loan_not_approved loan_state_refused", "The loan is no longer approved.", "Mkopo haujaidhinishwa tena."),
    ("disbursed_elsewhere", "The loan was already paid out outside Kivuko.", "Mkopo ulishatolewa nje ya Kivuko."),
    ("disbursal_undone payment_undone", "The booking was undone in Fineract.", "Rekodi ilifutwa katika Fineract."),
    (
        "multi_tranche",
        "The loan is paid in several tranches, which a person must do.",
        "Mkopo unatolewa kwa awamu; lazima ushughulikiwe na mtu.",
    ),
    (
        "top_up_without_net top_up_too_small",
        "The loan replaces an older one, and Fineract does not say how much is left to pay.",
        "Mkopo huu unalipia mkopo wa zamani, na Fineract haisemi kiasi kilichobaki cha kutuma.",
    ),
    ("nothing_to_pay", "Nothing is left to pay of this loan.", "Hakuna kiasi kilichobaki cha kutuma kwa mkopo huu."),
    (
        "net_above_principal down_payment",
        "One payout cannot serve this kind of loan; a person must look at it.",
        "Aina hii ya mkopo haiwezi kutumwa kwa malipo moja; lazima iangaliwe na mtu.",
    ),
    (
        "loan_changed phone_changed",
        "The loan or the client's phone was changed meanwhile.",
        "Mkopo au simu ya mteja imebadilishwa wakati huo.",
    ),
    (
        "loan_paid_elsewhere sent_before",
        "This loan was already sent once; our people look into it.",
        "Mkopo huu ulishatumwa mara moja; tunauchunguza.",
    ),
    ("no_client", "The loan names no client whom to pay.", "Mkopo hauna mteja wa kutumiwa pesa."),
    (
        "group_loan joint_liability_loan",
        "The loan is a group's, and a group has no single phone to pay.",
        "Mkopo ni wa kikundi, na kikundi hakina simu moja ya kutumiwa pesa.",
    ),
    (
        "client_not_active client_closed client_in_transfer group_not_active",
        "The client is not active in Fineract.",
        "Mteja si hai katika Fineract.",
    ),
    (
        "loan_charged_off",
        "The loan is written off in Fineract.",
        "Mkopo umefutwa kama deni lisilolipika katika Fineract.",
    ),
    (
        "loan_locked concurrent_change still_processing list_unsettled idempotency_key_reused not_verified",
        "Fineract was still working on the account.",
        "Fineract ilikuwa bado inaishughulikia akaunti.",
    ),
    (
        "future_date before_approval before_disbursement before_activation before_last_transaction on_holiday "
        "on_non_working_day waiting_date no_allowed_date before_transfer books_closed",
        "Fineract does not take this date.",
        "Fineract haikubali tarehe hii.",
    ),
    (
        "amount_above_approved",
        "The amount is more than was approved in Fineract.",
        "Kiasi ni zaidi ya kilichoidhinishwa katika Fineract.",
    ),
    (
        "payment_type_gone payment_type_missing",
        "Fineract lacks the payment type M-Pesa.",
        "Fineract haina aina ya malipo ya M-Pesa.",
    ),
    (
        "refused_by_rule duplicate_external_id data_integrity too_long",
        "A rule of Fineract forbids it.",
        "Kanuni ya Fineract hairuhusu.",
    ),
    ("awaiting_checker", "It waits for a second person in Fineract.", "Inasubiri mtu wa pili katika Fineract."),
    ("not_booked", "Fineract has not booked it yet.", "Fineract bado haijarekodi."),
    # -------------------------------------------------------------------------------------------- products and limits
    (
        "product_not_enabled",
        "Loans of this product are not paid out by Kivuko.",
        "Mikopo ya aina hii haitumwi kupitia Kivuko.",
    ),
    ("below_minimum payout:2 prompt:2", "The amount is below the minimum.", "Kiasi ni chini ya kiwango cha chini."),
    (
        "above_maximum amount_too_large payout:3 prompt:3",
        "The amount is above the maximum.",
        "Kiasi kinazidi kiwango cha juu.",
    ),
    ("above_daily_limit daily_limit limit_exceeded", "The amount is above the limit.", "Kiasi kinazidi kikomo."),
    ("no_tariff empty_band", "No charge is set for this amount.", "Hakuna ada iliyowekwa kwa kiasi hiki."),
    (
        "currency_differs currency_mismatch",
        "The money is in another currency than the account.",
        "Sarafu ya pesa si ya akaunti.",
    ),
    ("partner_suspended", "Your access to Kivuko is suspended.", "Huduma yako ya Kivuko imesimamishwa."),
    ("wallet_short", "The balance of your wallet is not enough.", "Salio la pochi yako halitoshi."),
    (
        "insufficient_funds payout:5",
        "The paying account holds too little.",
        "Akaunti ya kulipia haina salio la kutosha.",
    ),
    # ------------------------------------------------------------------------------------------------- payouts: M-Pesa
    ("payout:1", "Your M-Pesa account holds too little.", "Akaunti yako ya M-Pesa haina salio la kutosha."),
    (
        "payout:4",
        "The receiver's daily M-Pesa limit is used up.",
        "Mpokeaji amefikia kikomo chake cha M-Pesa cha siku.",
    ),
    (
        "payout:8 prompt:8",
        "The receiving M-Pesa account cannot hold more money.",
        "Akaunti ya M-Pesa ya mpokeaji haiwezi kupokea pesa zaidi.",
    ),
    (
        "payout:7 payout:12 payout:13 payout:14 payout:2040 payout:sfc_ic0003 account_not_found",
        "The receiver has no account that can take it.",
        "Mpokeaji hana akaunti inayoweza kupokea.",
    ),
    (
        "payout:11 payout:18 payout:19 payout:20 payout:21 payout:22 payout:24 payout:25 payout:29 payout:6 payout:2001 "
        "payout:2006 payout:2028 payout:8006 payout:tp40153 payout:r000002",
        "M-Pesa does not let your short code pay; the connection must be mended.",
        "M-Pesa hairuhusu nambari yako ya biashara kutuma; muunganisho urekebishwe.",
    ),
    (
        "payout:15 payout:17 payout:26 payout:100000000 payout:100000001 payout:100000002 payout:100000004 "
        "payout:100000005 payout:100000007 payout:100000009 payout:100000010 payout:100000011 maybe_duplicate timeout "
        "query_failed",
        "M-Pesa has not said what became of it.",
        "M-Pesa haijasema matokeo yake.",
    ),
    ("payout:expired", "M-Pesa did not carry it out in time.", "M-Pesa haikuitekeleza kwa wakati."),
    (
        "payout:declined payout:cancelled payout:failed failed rejected refused_by_gateway prompt_refused refused",
        "The provider refused it.",
        "Mtoa huduma amekataa.",
    ),
    ("reversed payout:reversed payout:r000001", "The money came back.", "Pesa zimerudishwa."),
    ("operator_unavailable", "The operator did not answer the bank.", "Kampuni ya simu haikuijibu benki."),
    (
        "unsupported unsupported_operator wrong_rail own_bank",
        "The bank does not offer this.",
        "Benki haitoi huduma hii.",
    ),
    ("debited", "The bank moved the money.", "Benki imehamisha pesa."),
    (
        "receipt_taken unfit_receipt paid_twice",
        "The receipt does not fit this payment.",
        "Risiti hailingani na malipo haya.",
    ),
    (
        "unreadable_line credited_back debited_twice",
        "The bank's statement does not say clearly what became of it.",
        "Taarifa ya benki haielezi wazi kilichotokea.",
    ),
    # -------------------------------------------------------------------------------------------- prompts to payers
    ("prompt:1", "The payer has too little money.", "Mlipaji hana salio la kutosha."),
    ("prompt:4", "The payer's daily M-Pesa limit is used up.", "Mlipaji amefikia kikomo chake cha M-Pesa cha siku."),
    (
        "prompt:17 prompt_living",
        "The same payment was asked for a moment ago.",
        "Malipo hayo hayo yaliombwa muda mfupi uliopita.",
    ),
    ("prompt:1001", "The payer's line was busy.", "Laini ya mlipaji ilikuwa na shughuli nyingine."),
    ("prompt:1019 prompt:1037", "The payer did not answer.", "Mlipaji hakujibu."),
    ("prompt:1025 prompt:9999 never_sent", "The request could not be sent.", "Ombi halikuweza kutumwa."),
    ("prompt:1032", "The payer cancelled it.", "Mlipaji ameghairi."),
    ("prompt:2001", "The payer gave a wrong PIN.", "Mlipaji aliweka PIN isiyo sahihi."),
    ("prompt:8006", "The payer's PIN is locked.", "PIN ya mlipaji imefungwa."),
    (
        "prompt:2028 prompt:sfc_ic0003 no_till no_passkey nothing_to_ask",
        "Your short code cannot take this payment.",
        "Nambari yako ya biashara haiwezi kupokea malipo haya.",
    ),
    ("not_paid", "The payer did not pay.", "Mlipaji hakulipa."),
    # -------------------------------------------------------------------------------------- payments that came in
    ("unknown_account", "Nobody has that account number.", "Hakuna mwenye nambari hiyo ya akaunti."),
    ("ambiguous_account", "The number belongs to several accounts.", "Nambari hiyo ni ya akaunti zaidi ya moja."),
    ("account_closed", "The account takes no payments.", "Akaunti haipokei malipo."),
    ("overpayment", "The payment is more than the loan owes.", "Malipo ni zaidi ya deni la mkopo."),
    (
        "payment_differs",
        "The amount was told differently by two sources.",
        "Kiasi kilitajwa tofauti na vyanzo viwili.",
    ),
    (
        "allocation_amount allocation_sum allocation_twice",
        "The parts do not add up to the payment.",
        "Mgawanyo haulingani na malipo.",
    ),
    ("not_a_payment", "Fineract knows no such payment.", "Fineract haina malipo hayo."),
    ("returned", "It was given back.", "Zimerudishwa kwa mlipaji."),
    (
        "booked_elsewhere credited_elsewhere payment_elsewhere",
        "The same money is booked already.",
        "Pesa hizo hizo zimesharekodiwa.",
    ),
    ("no_money", "No payment came in time.", "Hakuna malipo yaliyofika kwa wakati."),
    # --------------------------------------------------------------------------------------- people and their codes
    ("not_confirmed", "The code was not given in time.", "Nambari ya siri haikutolewa kwa wakati."),
    (
        "no_authorised_contact",
        "None of your people may confirm with a code.",
        "Hakuna mtu wako aliyeidhinishwa kuthibitisha kwa nambari ya siri.",
    ),
    ("cancelled withdrawn", "It was cancelled before any money moved.", "Lilighairiwa kabla ya pesa kutumwa."),
    ("resolved_not_paid", "Our people checked: no money moved.", "Tumechunguza: hakuna pesa iliyotoka."),
    ("invalid_msisdn", "The phone number is not valid.", "Nambari ya simu si sahihi."),
    # --------------------------------------------------------------------------- connections and what is ours to mend
    (
        "bad_credentials credentials_refused password_expired permission_missing tenant_unknown not_entitled "
        "token_refused bad_certificate connection_blocked no_connection no_fineract_here wrong_address callback_url "
        "blocked_by_firewall invalid_settings connection_unproven address_refused no_address claimed_elsewhere",
        "The connection to your system is refused; its settings must be mended.",
        "Muunganisho na mfumo wako umekataliwa; mipangilio irekebishwe.",
    ),
    (
        "not_reached transient busy throttled no_token no_usable_answer garbled_read answer_too_large not_yet too_late",
        "The other system could not be reached.",
        "Mfumo mwingine haukupatikana.",
    ),
    (
        "no_answer garbled unknown no_result no_verdict unlisted_code reference_conflict",
        "The other system has not said what became of it.",
        "Mfumo mwingine haujasema matokeo yake.",
    ),
    (
        "list_empty too_old day_ahead",
        "The provider's list does not show that day.",
        "Orodha ya mtoa huduma haionyeshi siku hiyo.",
    ),
    (
        "sms_refused email_refused smtp_settings invalid_email",
        "The message could not be sent.",
        "Ujumbe haukuweza kutumwa.",
    ),
    (
        "invalid_request not_found not_allowed conflict",
        "It is not possible as it was asked for.",
        "Haiwezekani kama ilivyoombwa.",
    ),
    (
        "already_ended ended_unpaid already_sent attempt_living fenced contradiction_open claim_contended name_taken "
        "idempotency_key_lost already_reversed account_differs key_reused hold_released hold_resolved hold_not_expired "
        "not_reversible not_a_hold capture_too_large ledger_busy sealed forged_callback forged_push stale_push "
        "window_too_long kivuko_error foreign_decision unknown_decision known row_lost claimed_already moved_meanwhile "
        "in_use is_a_name no_claim rotation_in_progress",
        "Kivuko could not carry it out; our people look into it.",
        "Kivuko haikuweza kulitekeleza; tunalishughulikia.",
    ),
)
