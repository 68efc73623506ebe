# SPDX-License-Identifier: MIT
# PDICT_SANITIZE and PDICT_COVERAGE: instrument the whole tree, so they apply to every directory.
set(PDICT_SANITIZE "" CACHE STRING
  "Sanitizers for the whole tree: address,undefined | thread | memory | empty for none")
option(PDICT_COVERAGE "Instrument for line and branch coverage" OFF)

if(PDICT_SANITIZE)
  add_compile_options(-fsanitize=${PDICT_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${PDICT_SANITIZE})
  if(PDICT_SANITIZE MATCHES "thread" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    # GCC warns that TSan does not model fences; code with fences is tested by other means.
    add_compile_options(-Wno-tsan)
  endif()
  if(PDICT_SANITIZE MATCHES "memory")
    add_compile_options(-fsanitize-memory-track-origins)
  endif()
endif()

if(PDICT_COVERAGE)
  # Atomic counters: without them two threads lose each other's counts, or make them negative.
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()
