"""What this project's server does otherwise than TensorFlow Serving, by the name of its test.

With SERVING_COMMAND or SERVING_TARGET, each is an expected failure (conftest.py); docs/serving.md has
the table, and test_deviations.py keeps the three together.
"""

REASONS = {
    "test_deviation_wrong_rank_does_not_end_the_process": "with oneDNN, a wrong rank aborts it",
    "test_deviation_image_bombs_are_refused": "it decodes whatever the graph decodes",
    "test_deviation_a_jpeg_of_many_scans_is_refused": "it decodes each scan over all pixels",
    "test_deviation_only_what_the_model_decodes_is_taken": "it leaves formats to the graph",
    "test_deviation_pixels_that_are_no_numbers_are_refused": "it answers them with a class",
    "test_deviation_a_tensor_that_states_a_size_without_sending_it_is_refused": (
        "it expands a lone value to any stated shape"
    ),
    "test_deviation_a_resource_tensor_does_not_end_the_process": "it aborts on one of 60 bytes",
    "test_deviation_a_get_with_a_long_body_does_not_end_the_process": "it exits",
    "test_deviation_json_nested_deep_does_not_end_the_process": "its parser overflows the stack",
    "test_deviation_streams_that_are_reset_fill_no_memory": (
        "not tried on it: by gRPC's default a connection's streams have no bound"
    ),
    "test_deviation_pings_without_end_fill_no_memory": "not tried on it: gRPC's default does",
    "test_deviation_requests_of_more_bytes_than_may_be_held_are_refused": (
        "the number of its threads alone bounds them"
    ),
    "test_deviation_an_error_of_the_model_is_one_line_without_places_in_its_graph": (
        "its text goes on with the graph's nodes"
    ),
    "test_deviation_a_very_long_value_is_not_sent_back_whole": "it sends any value back whole",
    "test_deviation_a_web_page_of_another_site_is_refused": "it looks at no Origin",
    "test_deviation_a_name_that_points_to_loopback_is_refused": "it looks at no Host",
    "test_deviation_models_named_by_a_flag_are_not_changed_by_a_call": "every caller may reload",
    "test_deviation_a_version_that_answers_is_available": (
        "a version is AVAILABLE only when the calls under way have ended"
    ),
    "test_deviation_a_corrupt_version_pushed_again_loads": "a number that failed stays END",
    "test_deviation_a_refused_config_is_not_kept": "it keeps a config that it refused",
    "test_deviation_a_missing_base_path_does_not_stop_polling": "it stops polling (serving#2189)",
    "test_deviation_a_version_without_variables_is_refused": "it serves it (serving#1086)",
    "test_deviation_one_odd_request_does_not_poison_its_batch": "the whole batch fails",
    "test_deviation_a_backlog_of_versions_is_not_loaded": "it loads every version that it saw",
    "test_deviation_a_port_in_use_is_told_before_anything_loads": "it loads first",
    "test_deviation_what_is_no_port_is_refused": "not tried on it",
    "test_deviation_sigterm_drains": "it handles no signal (serving#60)",
    "test_deviation_sigterm_ends_an_idle_server_at_once": "its status is 143",
    "test_deviation_a_hundred_signals_end_the_server_as_one_does": "its status is 143",
    "test_deviation_the_drain_is_over_in_its_time_whatever_runs": "it does not drain",
    "test_deviation_ports_are_bound_to_loopback": "it binds every address",
    "test_c47_body_that_is_not_json": "it takes text that is not UTF-8, and cannot write it back",
    "test_c68_a_good_higher_version_loads_despite_a_corrupt_one": (
        "a corrupt version's retries hold up good ones"
    ),
    "test_c16_tensor_content_when_asked_for": "its flag for this is of 2.19 and later",
    "test_fuzz_of_both_ports": "the fuzz ends it",
    "test_memory_of_twenty_swaps": "users report that it keeps some (serving#1664)",
}
