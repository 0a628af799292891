"""Each rule of a safe eviction (docs/maintenance.md), and the tests that hold zktui to it.

`seen`: seen on Kubernetes 1.37 and ZooKeeper 3.9 before it was written down. What the real cluster said of the others,
which are experience, is in `tried`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    text: str
    tests: tuple[str, ...]
    """`file::test`, the file below tests/unit, or tests/ with a leading slash."""
    seen: bool = False


def rule(text: str, *tests: str, seen: bool = False) -> Rule:
    return Rule(text, tests, seen)


GATES, MACHINE, PLAN, OFFERS = (f"maintenance/test_{name}.py" for name in ("gates", "machine", "planning", "offers"))
ENGINE, CORDON, EVICT = (f"maintenance/test_{name}.py" for name in ("engine", "cordoning", "evicting"))
REPLIES, PAPER, REQUESTS = "maintenance/test_replies.py", "maintenance/test_rehearsal.py", "cluster/test_requests.py"
RESUME, UNFINISHED, LANDING = (f"maintenance/test_{name}.py" for name in ("resuming", "unfinished", "landing"))
REPORT = "maintenance/test_report.py"
QUORUM, DISRUPTION, LIVE = "core/test_quorum.py", "core/test_disruption.py", "ensemble/test_live.py"
EACH_REPLY = f"{REPLIES}::test_each_reply_means_what_the_table_says"

EVIDENCE = (
    rule(
        "serving is what a member's own srvr says; not currently serving and Mode read-only are not",
        f"{QUORUM}::test_judged_by_what_members_say",
        f"{GATES}::test_read_only_is_not_serving",
        seen=True,
    ),
    rule(
        "every gate is complete on srvr alone",
        f"{GATES}::test_all_gates_are_open_on_a_healthy_ensemble",
        "ensemble/test_polling.py::test_srvr_alone_makes_a_whole_report",
    ),
    rule(
        "evidence older than 2 s is unknown, and unknown is no",
        f"{GATES}::test_evidence_older_than_two_seconds_is_unknown_and_unknown_is_no",
        f"{GATES}::test_what_could_not_be_read_is_no",
        f"{QUORUM}::test_evidence_older_than_two_seconds_is_unknown_and_unknown_is_no",
    ),
    rule(
        "a silent leader means no quorum, whatever the followers say",
        f"{ENGINE}::test_a_silent_leader_keeps_everybody_where_they_are",
        seen=True,
    ),
    rule("two leaders are no quorum", f"{GATES}::test_two_leaders_are_no_quorum", seen=True),
    rule(
        "caught up: zxid within one epoch, counter 0, or a sync and a read; never across epochs",
        f"{QUORUM}::test_lag_is_a_number_only_within_one_epoch",
        f"{MACHINE}::test_a_member_is_back_only_once_it_has_caught_up",
        f"{LIVE}::test_a_synced_read_succeeds_through_every_member",
        f"{ENGINE}::test_the_leader_is_asked_before_the_others",
        seen=True,
    ),
    rule("zk_synced_followers is only a veto", f"{GATES}::test_synced_followers_are_only_a_veto", seen=True),
    rule(
        "voters come from the running configuration; one outside the cluster counts as not serving",
        f"{GATES}::test_voters_outside_the_cluster_count_as_not_serving",
        f"{QUORUM}::test_a_voter_without_a_pod_counts_as_not_serving",
        f"{LIVE}::test_configuration_by_a_session_that_is_kept",
    ),
    rule(
        "observers never count",
        f"{GATES}::test_observers_never_count",
        f"{QUORUM}::test_observers_never_count",
        f"{PAPER}::test_an_observer_is_never_elected",
    ),
    rule(
        "groups and weights are refused with the reason",
        f"{GATES}::test_groups_are_refused",
        f"{QUORUM}::test_groups_and_weights_are_refused_with_the_reason",
    ),
)

BEFORE = (
    rule(
        "one typed override, the pod's name, for one gate and one step, recorded",
        f"{MACHINE}::test_an_override_wants_the_pods_name_and_opens_one_gate_for_one_pod",
    ),
    rule(
        "budget: current, only one, one allowed for a healthy pod",
        f"{GATES}::test_budget_closed_waits_with_its_figures",
        f"{GATES}::test_budget_that_never_allows_is_blocked",
        f"{DISRUPTION}::test_what_the_server_would_say",
        "/scenarios/test_budgets.py::test_one_eviction_at_a_time",
        "/scenarios/test_budgets.py::test_a_budget_whose_change_was_not_seen_yet",
    ),
    rule(
        "budget: an unready pod goes when enough others are healthy, or under AlwaysAllow",
        f"{GATES}::test_budget_of_an_unready_pod_opens_when_the_others_are_healthy",
        f"{DISRUPTION}::test_what_the_server_would_say",
        f"{PLAN}::test_findings_of_the_ensemble",
        "/scenarios/test_budgets.py::test_an_unready_pod",
        seen=True,
    ),
    rule(
        "no budget: one acknowledgement in Review, and the offer to make one",
        f"{PAPER}::test_without_a_budget_a_run_asks_to_be_told_that_this_is_known",
        f"{OFFERS}::test_a_budget_is_offered_where_none_covers_the_ensemble",
        "/scenarios/test_plan.py::test_an_ensemble_without_a_budget_is_moved_only_once_that_is_accepted",
        seen=True,
    ),
    rule(
        "quorum without it: the others are counted, so that a broken member costs nothing",
        f"{GATES}::test_quorum_counts_the_others",
        f"{GATES}::test_a_broken_members_node_can_be_drained",
        f"{GATES}::test_a_terminating_voter_does_not_count",
        f"{GATES}::test_a_voter_whose_eviction_was_granted_does_not_count",
    ),
    rule("quorum: five or more voters keep one to spare", f"{GATES}::test_five_voters_keep_one_to_spare"),
    rule(
        "quorum: one or two voters need --accept-outage",
        f"{GATES}::test_two_voters_need_an_accepted_outage",
        f"{PLAN}::test_an_accepted_outage_is_a_warning",
        f"{PAPER}::test_of_two_voters_each_eviction_costs_an_election",
    ),
    rule(
        "return: no rolling update in progress",
        f"{GATES}::test_a_rolling_update_closes_the_way_back",
        "/scenarios/test_rollout.py",
        seen=True,
    ),
    rule(
        "return: under OrderedReady no lower ordinal unready",
        f"{GATES}::test_under_ordered_ready_an_unready_lower_ordinal_keeps_the_higher_ones",
        f"{PLAN}::test_under_ordered_ready_an_unready_lower_ordinal_is_told",
        seen=True,
    ),
    rule(
        "return: another revision is a typed word",
        f"{GATES}::test_a_drain_that_also_upgrades_wants_a_typed_word",
        f"{GATES}::test_below_a_partition_the_member_comes_back_as_it_was",
        seen=True,
    ),
    rule("return: data size against initLimit x tickTime", f"{PLAN}::test_data_too_large_for_init_limit_is_told"),
    rule(
        "landing: which nodes can take it, by the scheduler's required rules",
        f"{LANDING}::test_one_rule_at_a_time",
        f"{LANDING}::test_anti_affinity_counts_both_ways_and_by_any_topology",
        f"{GATES}::test_landing_names_the_node",
    ),
    rule(
        "landing: none, so it waits for the uncordon, said before",
        f"{PLAN}::test_nowhere_to_land_is_a_warning_that_names_the_way_back",
        f"{GATES}::test_landing_lost_since_the_review_offers_the_uncordon",
        "/scenarios/test_drain.py::test_left_cordoned_and_said_so",
    ),
    rule(
        "landing: a volume tied to this node",
        f"{LANDING}::test_a_volume_tied_to_the_drained_node_is_told_as_such",
    ),
    rule(
        "landing: node gone for good: claim and pod only by a typed word and while all others serve",
        f"{OFFERS}::test_a_member_tied_to_a_node_that_is_gone_can_be_made_anew_while_all_others_serve",
        f"{OFFERS}::test_a_members_data_is_not_given_up_while_another_does_not_serve",
        f"{OFFERS}::test_a_members_data_is_given_up_only_by_its_name_and_when_its_node_is_gone",
        f"{OFFERS}::test_a_node_lost_in_hold_leaves_a_member_that_the_run_offers_to_make_anew",
    ),
    rule(
        "landing: emptyDir as dataDir wants a typed word, and only while all others serve",
        f"{GATES}::test_data_on_an_empty_dir_wants_a_typed_word_and_only_while_all_others_serve",
        seen=True,
    ),
    rule(
        "landing: two voters on one node with nowhere to go can't be drained",
        f"{PLAN}::test_two_on_one_node_with_nowhere_to_go_can_not_be_drained",
    ),
    rule(
        "settled: the member moved last is back for a dwell of syncLimit x tickTime",
        f"{GATES}::test_settled_waits_for_the_member_moved_last",
        f"{GATES}::test_settled_waits_for_one_that_started_by_itself_lately",
        f"{MACHINE}::test_a_member_is_back_only_after_it_served_for_the_dwell",
        seen=True,
    ),
    rule(
        "alone: our lease, renewed before every change; failing that, stop",
        f"{GATES}::test_alone_is_our_own_lease_and_nothing_less",
        f"{MACHINE}::test_losing_the_lease_stops_the_run",
        f"{RESUME}::test_every_change_stands_in_the_lease_before_it_is_sent",
        f"{ENGINE}::test_another_runs_lease_blocks_and_is_named",
        f"{UNFINISHED}::test_two_take_it_up_at_once_and_the_lease_decides",
    ),
    rule(
        "alone: foreign disruption taints, DisruptionTarget, and foreign cordons pause, once",
        f"{GATES}::test_alone_sees_what_others_disrupt",
        f"{MACHINE}::test_a_disruption_by_others_pauses_the_run_once",
        f"{CORDON}::test_a_strangers_disruption_taint_on_a_members_node_pauses_once",
        f"{CORDON}::test_a_cordon_outside_the_plan_is_noted_and_one_on_a_members_node_pauses_once",
        f"{CORDON}::test_what_was_cordoned_before_the_run_pauses_nobody",
        f"{CORDON}::test_a_node_that_an_autoscaler_may_remove_later_is_told_and_pauses_nobody",
    ),
    rule(
        "leader last is a preference, made anew at each step, not a gate",
        f"{GATES}::test_the_leader_may_go_when_the_others_serve",
        f"{MACHINE}::test_the_order_is_made_anew_when_the_leader_moves",
        f"{EVICT}::test_a_blocked_member_does_not_keep_another_ensembles_from_going",
        "/scenarios/test_drain.py::test_two_nodes_in_a_row_the_leaders_last",
    ),
    rule(
        "with several ensembles the fewest elections",
        f"{PAPER}::test_with_several_ensembles_the_fewest_elections_follow",
        f"{PAPER}::test_of_equal_voters_the_one_with_the_highest_id_is_elected",
    ),
    rule(
        "other pods first, members last",
        f"{MACHINE}::test_others_go_first_and_members_last",
        f"{PLAN}::test_another_pod_whose_budget_is_closed_is_told",
    ),
    rule(
        "the first cordon comes only after the first gate has passed",
        f"{ENGINE}::test_a_blocked_gate_offers_the_uncordon_that_opens_it",
    ),
    rule(
        "nodes still to be drained are cordoned ahead where there is room, seen and refusable",
        f"{PAPER}::test_nodes_still_to_be_drained_are_cordoned_ahead_where_there_is_room_elsewhere",
        f"{PAPER}::test_no_node_is_cordoned_ahead_for_which_a_member_would_have_to_wait",
        f"{CORDON}::test_a_node_is_cordoned_ahead_before_the_one_at_work_and_given_back_at_its_own_turn",
        f"{CORDON}::test_nothing_is_cordoned_ahead_with_the_option_off",
        f"{CORDON}::test_an_abort_names_the_node_that_was_cordoned_ahead",
    ),
)

REPLY = (
    rule(
        "budget, pod and members are read right before each eviction and after every 429",
        f"{EVICT}::test_everything_is_read_again_right_before_each_eviction_and_after_each_refusal",
        "/scenarios/test_each_change.py::test_each_change_is_written_down_and_read_for_before_it_is_made",
    ),
    rule(
        "the UID is sent as a precondition",
        f"{REQUESTS}::test_an_eviction_names_the_uid_and_its_refusal_is_told_whole",
        "/scenarios/test_each_change.py::test_each_change_is_written_down_and_read_for_before_it_is_made",
    ),
    rule(
        "201 proves nothing on a pod that terminates already: none is sent; overdue is blocked",
        EACH_REPLY,
        f"{MACHINE}::test_a_pod_that_terminates_already_is_not_evicted",
        f"{MACHINE}::test_an_overdue_pod_is_told_and_never_deleted_by_force",
        seen=True,
    ),
    rule(
        "404: gone",
        EACH_REPLY,
        "/scenarios/test_each_change.py::test_a_pod_that_is_gone_when_its_eviction_arrives_is_gone",
    ),
    rule(
        "409 for the UID: replan; the refused try has spent the budget",
        EACH_REPLY,
        f"{MACHINE}::test_a_uid_that_moved_on_is_planned_anew_and_its_new_pod_is_not_taken_for_the_old",
        f"{GATES}::test_budget_says_how_long_our_refused_eviction_holds_it",
        seen=True,
    ),
    rule(
        "429 by the budget: the server's words; woken by its change, else bounded back-off",
        EACH_REPLY,
        f"{REPLIES}::test_a_closed_budget_backs_off_within_bounds",
        f"{ENGINE}::test_a_budgets_refusal_shows_the_servers_words_and_the_change_of_the_budget_wakes",
        seen=True,
    ),
    rule(
        "429 otherwise: Retry-After",
        f"{REPLIES}::test_retry_after_is_honoured_when_throttled",
        "/scenarios/test_lost_answers.py::test_each_change_s_answer_is_lost_once",
    ),
    rule(
        "403 NamespaceTerminating: as it says",
        EACH_REPLY,
        f"{EVICT}::test_a_namespace_that_terminates_is_told_as_the_server_says_and_the_pod_is_waited_for",
    ),
    rule(
        "an admission webhook's denial names it; then the UID changes: done",
        EACH_REPLY,
        f"{EVICT}::test_a_webhook_that_denies_is_named_and_the_pod_that_its_operator_moves_is_done",
    ),
    rule(
        "403 otherwise: verb and resource",
        f"{EVICT}::test_a_missing_right_ends_the_run_with_verb_and_resource",
        f"{ENGINE}::test_missing_permission_is_found_in_review",
        "/scenarios/test_trouble.py::test_no_permission_to_change",
    ),
    rule(
        "500, two budgets: refused in Review",
        EACH_REPLY,
        f"{PLAN}::test_findings_of_the_ensemble",
        "/scenarios/test_budgets.py::test_two_budgets_on_one_pod",
        "/scenarios/test_plan.py::test_a_member_that_two_budgets_cover_is_refused_in_the_review",
    ),
    rule(
        "lost: read first, never send twice blindly",
        f"{ENGINE}::test_a_lost_answer_is_read_before_anything_is_sent_again",
        f"{CORDON}::test_a_lost_answer_to_a_cordon_is_found_out_by_the_runs_id_on_the_node",
        f"{CORDON}::test_a_lost_answer_to_an_uncordon_is_not_told_as_a_strangers_doing",
        "/scenarios/test_lost_answers.py::test_each_change_s_answer_is_lost_once",
    ),
    rule(
        "a dying pod can show phase Failed",
        f"{DISRUPTION}::test_a_pod_that_dies_with_phase_failed_is_terminating_not_finished",
        seen=True,
    ),
)

NODE = (
    rule(
        "other pods follow kubectl drain's rules, with every finding kept",
        f"{PLAN}::test_kubectls_filters",
        f"{PLAN}::test_every_finding_is_kept",
        "/e2e/test_parity.py::test_both_do_the_same",
        seen=True,
    ),
    rule(
        "NotReady: refused; out of service only after a typed “powered off”",
        f"{MACHINE}::test_a_node_not_ready_when_we_come_to_it_ends_the_run",
        f"{GATES}::test_a_dead_kubelet_closes_the_way_and_offers_the_way_out",
        f"{OFFERS}::test_nothing_more_is_evicted_from_a_node_that_is_not_ready_any_more",
        f"{OFFERS}::test_a_node_is_taken_out_of_service_by_its_word_and_only_when_it_is_dead",
        f"{OFFERS}::test_a_node_that_dies_in_mid_drain_blocks_and_its_pods_are_let_go_by_the_typed_word",
    ),
    rule(
        "deleted: nothing to uncordon, success; same name and new UID: never touched",
        f"{MACHINE}::test_a_deleted_node_is_nothing_to_uncordon_and_a_success",
        f"{MACHINE}::test_a_node_deleted_while_it_is_drained_is_not_called_yours",
        f"{MACHINE}::test_a_node_replaced_under_its_name_is_never_touched",
        f"{MACHINE}::test_a_cordoned_node_under_the_old_name_is_not_uncordoned",
    ),
    rule(
        "in Hold an autoscaler's candidate: said, and its do-not-disrupt annotations put back afterwards",
        f"{EVICT}::test_in_hold_it_is_said_what_an_autoscaler_may_do",
        f"{CORDON}::test_autoscalers_are_asked_to_spare_the_node_and_what_they_were_told_before_comes_back",
        f"{CORDON}::test_an_annotation_that_somebody_changed_meanwhile_stays_theirs",
        "/scenarios/test_plan.py::test_a_cordon_carries_the_run_and_autoscalers_are_asked_to_wait",
    ),
    rule(
        "never uncordon what we did not cordon, and never after a failure",
        f"{MACHINE}::test_someone_elses_cordon_is_never_undone",
        f"{MACHINE}::test_a_cordon_that_came_after_ours_was_undone_is_theirs",
        f"{CORDON}::test_a_strangers_cordon_is_not_taken_for_ours_because_our_answer_was_lost",
        f"{MACHINE}::test_an_exhausted_timeout_ends_the_run_and_names_what_is_cordoned",
        "/scenarios/test_drain.py::test_left_cordoned_and_said_so",
    ),
    rule(
        "our node uncordoned by someone else in mid-drain: pause",
        f"{MACHINE}::test_an_uncordon_by_someone_else_during_the_drain_pauses",
        "/scenarios/test_each_change.py::test_a_node_that_somebody_uncordons_in_mid_drain_pauses_and_stays_theirs",
    ),
    rule(
        "the end of a node is a member verified: elsewhere before Hold, else after the uncordon",
        f"{ENGINE}::test_a_member_with_nowhere_to_land_waits_for_the_uncordon_and_rejoins",
        "/scenarios/test_drain.py::test_maintain_a_members_node",
    ),
)

RUN = (
    rule(
        "the run's state lives in the Lease and the journal, written before each effect",
        f"{ENGINE}::test_every_change_is_on_disk_before_it_is_made",
        f"{RESUME}::test_every_change_stands_in_the_lease_before_it_is_sent",
        "/scenarios/test_each_change.py::test_each_change_is_written_down_and_read_for_before_it_is_made",
    ),
    rule(
        "quitting leaves a run unattended, says so, and it can be resumed",
        f"{UNFINISHED}::test_left_unattended_it_is_unfinished_and_free",
        f"{RESUME}::test_killed_after_any_input_it_is_resumed_here_and_nobody_goes_twice",
    ),
    rule(
        "where tells what is cordoned and by whom, which step, the next safe command, and kubectl's lines",
        "/scenarios/test_resume.py::test_killed_in_the_middle_of_a_drain",
        "/scenarios/test_resume.py::test_ended_instead_of_resumed",
    ),
    rule(
        "two figures in a report: outage at the servers, and the gap that a client felt",
        f"{REPORT}::test_an_outage_is_known_as_exactly_as_was_looked",
        f"{REPORT}::test_an_election_between_two_readings_is_an_outage_of_at_most_their_distance",
        "/scenarios/test_proof.py::test_a_whole_maintenance_and_its_report",
        "/scenarios/test_proof.py::test_the_probe_through_an_election",
        seen=True,
    ),
    rule(
        "takeover after expiry by the typed word",
        f"{UNFINISHED}::test_elsewhere_only_the_leases_silence_and_a_typed_word_make_it_free",
        "/scenarios/test_resume.py::test_taken_over_from_another_state_folder_by_the_typed_word",
    ),
)

RULES = (*EVIDENCE, *BEFORE, *REPLY, *NODE, *RUN)
