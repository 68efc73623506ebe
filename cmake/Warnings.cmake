# SPDX-License-Identifier: MIT
# The warnings every target of ours is compiled with: link pdict_warnings privately.
add_library(pdict_warnings INTERFACE)
target_compile_options(pdict_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wpointer-arith -Wwrite-strings -Wvla
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes$<SEMICOLON>-Wmissing-prototypes>)

# Only our own checkouts stop at a warning; a newer compiler in somebody's build must not.
option(PDICT_WERROR "Treat compiler warnings as errors" ${PROJECT_IS_TOP_LEVEL})
if(PDICT_WERROR)
  target_compile_options(pdict_warnings INTERFACE -Werror)
endif()
