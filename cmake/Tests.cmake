# SPDX-License-Identifier: MIT
# pdict_test(): one test program, with one CTest test for each TEST in it.
#
#   pdict_test(NAME unit.record SOURCES record_test.c)
#
# NAME up to its first dot is the area and the CTest label; TEST(record, x) in it becomes
# unit.record.x. Tests may call private functions: they see core/ and link the static library.
#
#   pdict_test_program(TARGET NAME MATCH regex ARGUMENTS text)
#
# does the same for a program with a main() of its own: it answers --list with one name a line,
# and TARGET run with ARGUMENTS, in which \1, \2... stand for the groups of MATCH, runs one.

option(PDICT_PLAIN_RUNNER "Run the tests without Criterion" OFF)
option(PDICT_VALGRIND "Run each test program under valgrind's memcheck" OFF)

if(NOT PDICT_PLAIN_RUNNER)
  pkg_check_modules(criterion QUIET IMPORTED_TARGET criterion)
  if(NOT TARGET PkgConfig::criterion)
    message(FATAL_ERROR "Criterion was not found: install libcriterion-dev, "
      "or set PDICT_PLAIN_RUNNER=ON")
  endif()
endif()

# Criterion starts the program again for each test and patches its main(); it cannot see a hidden
# one, and says "Re-entering criterion from a test worker" then.
set(CMAKE_C_VISIBILITY_PRESET default)

set(pdict_launcher "")
if(PDICT_VALGRIND)
  find_program(VALGRIND valgrind REQUIRED)
  set(pdict_launcher ${VALGRIND} --quiet --leak-check=full --show-leak-kinds=definite,indirect
    --errors-for-leak-kinds=definite,indirect --error-exitcode=9 --track-fds=no)
endif()

# test.h and its main().
add_library(pdict_test_support STATIC
  ${PROJECT_SOURCE_DIR}/tests/support/test.c ${PROJECT_SOURCE_DIR}/tests/support/maps.c)
target_include_directories(pdict_test_support PUBLIC ${PROJECT_SOURCE_DIR}/tests/support
  PRIVATE ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(pdict_test_support PRIVATE _GNU_SOURCE)
target_link_libraries(pdict_test_support PRIVATE pdict_warnings PUBLIC Threads::Threads)
if(PDICT_PLAIN_RUNNER)
  target_compile_definitions(pdict_test_support PUBLIC PDICT_PLAIN_RUNNER)
else()
  target_link_libraries(pdict_test_support PUBLIC PkgConfig::criterion)
endif()

if(PDICT_VALGRIND)
  target_compile_definitions(pdict_test_support PUBLIC TEST_UNDER_VALGRIND=1)
endif()

function(pdict_test_program target name)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "MATCH;ARGUMENTS" "")
  string(REGEX MATCH "^[^.]+" area ${name})

  if(PDICT_VALGRIND OR PDICT_SANITIZE MATCHES "memory")
    # A whole program at a time: starting valgrind, or MemorySanitizer, costs more than most tests.
    add_test(NAME ${name} COMMAND ${pdict_launcher} $<TARGET_FILE:${target}>)
    set_tests_properties(${name} PROPERTIES LABELS ${area} TIMEOUT 1200 SKIP_RETURN_CODE 77)
    return()
  endif()

  set(list ${CMAKE_CURRENT_BINARY_DIR}/${target}_list.cmake)
  set(include ${CMAKE_CURRENT_BINARY_DIR}/${target}_include.cmake)
  add_custom_command(TARGET ${target} POST_BUILD BYPRODUCTS ${list} VERBATIM
    COMMAND ${CMAKE_COMMAND} -D PROGRAM=$<TARGET_FILE:${target}> -D AREA=${area} -D OUT=${list}
      -D MATCH=${arg_MATCH} -D ARGUMENTS=${arg_ARGUMENTS}
      -P ${PROJECT_SOURCE_DIR}/cmake/DiscoverTests.cmake)
  file(WRITE ${include} "if(EXISTS \"${list}\")\n  include(\"${list}\")\nelse()\n"
    "  add_test(${name} NOT_BUILT)\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${include})
endfunction()

function(pdict_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES")
  string(REPLACE "." "_" target test_${arg_NAME})
  add_executable(${target} ${arg_SOURCES})
  target_include_directories(${target} PRIVATE
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/core)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  target_link_libraries(${target} PRIVATE pdict_test_support pdict_static pdict_warnings)
  pdict_test_program(${target} ${arg_NAME} MATCH "^(.+)$" ARGUMENTS "\\1")
endfunction()
