# SPDX-License-Identifier: MIT
# After the link: asks a test program for its tests and writes them down for CTest.
execute_process(COMMAND ${PROGRAM} --list
  OUTPUT_VARIABLE names RESULT_VARIABLE result OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} --list failed: ${result}")
endif()

set(text "")
string(REPLACE "\n" ";" names "${names}")
foreach(name IN LISTS names)
  string(REPLACE "/" "." test "${AREA}.${name}")
  string(REGEX REPLACE "${MATCH}" "${ARGUMENTS}" arguments "${name}")
  string(APPEND text "add_test([=[${test}]=] [=[${PROGRAM}]=] ${arguments})\n"
    "set_tests_properties([=[${test}]=] PROPERTIES LABELS ${AREA} TIMEOUT 600"
    " SKIP_RETURN_CODE 77 SKIP_REGULAR_EXPRESSION [=[(^|\n)skip ]=])\n")
endforeach()
file(WRITE ${OUT} "${text}")
