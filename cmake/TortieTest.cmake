# tortie_test(<name> LABEL <label> [ONE_TEST] SOURCES <file>... LIBS <target>...): one gtest program,
# every case of it a ctest test that carries the label of its folder (tests/README.md); with ONE_TEST
# the whole program is one.
find_package(GTest REQUIRED)
include(GoogleTest)

function(tortie_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ONE_TEST" "LABEL" "SOURCES;LIBS")
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${name} PRIVATE ${arg_LIBS} tortie::warnings GTest::gmock GTest::gtest_main)
  if(arg_ONE_TEST)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS ${arg_LABEL})
    return()
  endif()
  gtest_discover_tests(${name}
    PROPERTIES LABELS ${arg_LABEL} SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]"
    DISCOVERY_MODE PRE_TEST)
endfunction()
