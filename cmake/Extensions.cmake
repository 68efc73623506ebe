# SPDX-License-Identifier: MIT
# pdict_backend() and pdict_codec(): one line adds an extension; the table of built-ins is generated.
#
#   pdict_backend(NAME [SOURCES file...] [NEEDS target...] [OPTIONAL])
#   pdict_codec(NAME ...)
#
# SOURCES   default: NAME/*.c when that folder exists, otherwise NAME.c.
# NEEDS     imported targets. PkgConfig::MODULE is looked up with pkg-config, and is what the
#           installed pdict.pc names to static consumers; Package::target by find_package(Package).
# OPTIONAL  off unless asked for. Use it when ./dev does not install the package, so that what
#           a build contains never depends on what happens to lie around.
#
# Each makes PDICT_BACKEND_<NAME> or PDICT_CODEC_<NAME>: AUTO takes it when its needs are there,
# ON fails without them, OFF leaves it out. The vtable is the symbol pdict__backend_NAME or
# pdict__codec_NAME; the page docs/backends/NAME.md or docs/codecs/NAME.md must exist.

find_package(PkgConfig REQUIRED)

define_property(GLOBAL PROPERTY PDICT_BACKENDS BRIEF_DOCS "Names of the built-in backends")
define_property(GLOBAL PROPERTY PDICT_CODECS BRIEF_DOCS "Names of the built-in codecs")
define_property(GLOBAL PROPERTY PDICT_EXTENSIONS BRIEF_DOCS "Their object libraries")
define_property(GLOBAL PROPERTY PDICT_NEEDS BRIEF_DOCS "The imported targets they link")
define_property(GLOBAL PROPERTY PDICT_LEFT_OUT BRIEF_DOCS "name (reason) of those not built")

# Look one imported target up; sets <out> to TRUE when it can be linked.
function(pdict__find_need target out)
  if(NOT TARGET ${target})
    string(REGEX MATCH "^(.+)::(.+)$" parts "${target}")
    if(NOT parts)
      message(FATAL_ERROR "NEEDS ${target}: write PkgConfig::<module> or <Package>::<target>")
    endif()
    if(CMAKE_MATCH_1 STREQUAL "PkgConfig")
      pkg_check_modules(${CMAKE_MATCH_2} QUIET IMPORTED_TARGET GLOBAL ${CMAKE_MATCH_2})
    else()
      find_package(${CMAKE_MATCH_1} QUIET GLOBAL)
    endif()
  endif()
  if(TARGET ${target})
    set(${out} TRUE PARENT_SCOPE)
  else()
    set(${out} FALSE PARENT_SCOPE)
  endif()
endfunction()

# kind: backend or codec.
function(pdict__extension kind name)
  cmake_parse_arguments(PARSE_ARGV 2 arg "OPTIONAL" "" "SOURCES;NEEDS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "pdict_${kind}(${name}): unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()

  string(TOUPPER "PDICT_${kind}_${name}" option)
  if(arg_OPTIONAL)
    set(default OFF)
  else()
    set(default AUTO)
  endif()
  set(${option} ${default} CACHE STRING "The ${name} ${kind}: AUTO, ON or OFF")
  set_property(CACHE ${option} PROPERTY STRINGS AUTO ON OFF)

  if(NOT "${${option}}" STREQUAL "AUTO" AND NOT ${option})
    set_property(GLOBAL APPEND PROPERTY PDICT_LEFT_OUT "${kind} ${name} (${option}=${${option}})")
    return()
  endif()

  foreach(need IN LISTS arg_NEEDS)
    pdict__find_need(${need} found)
    if(NOT found)
      if(NOT "${${option}}" STREQUAL "AUTO")
        message(FATAL_ERROR "${option}=${${option}}, but ${need} was not found: install its "
          "development package (./dev build does), or set ${option}=OFF")
      endif()
      message(STATUS "${kind} ${name}: left out, ${need} was not found")
      set_property(GLOBAL APPEND PROPERTY PDICT_LEFT_OUT "${kind} ${name} (no ${need})")
      return()
    endif()
  endforeach()

  set(page docs/${kind}s/${name}.md)
  if(NOT EXISTS ${PROJECT_SOURCE_DIR}/${page})
    message(FATAL_ERROR "The ${name} ${kind} has no page: write ${page} with the headings "
      "Synopsis, Options, Guarantees, Threads, Files on disk, Limits, Failure modes and Since; "
      "the Options table has one row per option of its spec, the name in backticks first.")
  endif()

  set(own_folder ${CMAKE_CURRENT_SOURCE_DIR}/${name})
  if(NOT arg_SOURCES)
    if(IS_DIRECTORY ${own_folder})
      file(GLOB arg_SOURCES CONFIGURE_DEPENDS ${own_folder}/*.c)
    else()
      set(arg_SOURCES ${name}.c)
    endif()
  endif()

  set(target pdict_${kind}_${name})
  add_library(${target} OBJECT ${arg_SOURCES})
  # Only the public headers: an extension in the tree can do what one outside it can, no more.
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
  target_link_libraries(${target} PRIVATE pdict_warnings pdict_object_flags ${arg_NEEDS})

  string(TOUPPER "PDICT_${kind}S" list)
  set_property(GLOBAL APPEND PROPERTY ${list} ${name})
  set_property(GLOBAL APPEND PROPERTY PDICT_EXTENSIONS ${target})
  set_property(GLOBAL APPEND PROPERTY PDICT_NEEDS ${arg_NEEDS})
endfunction()

function(pdict_backend name)
  pdict__extension(backend ${name} ${ARGN})
endfunction()

function(pdict_codec name)
  pdict__extension(codec ${name} ${ARGN})
endfunction()

# Write the two NULL-terminated tables for the given names.
function(pdict__write_builtin path backends codecs)
  set(externs "")
  foreach(kind IN ITEMS backend codec)
    set(rows "")
    foreach(name IN LISTS ${kind}s)
      string(APPEND externs "extern const pdict_${kind} pdict__${kind}_${name};\n")
      string(APPEND rows "    &pdict__${kind}_${name},\n")
    endforeach()
    set(${kind}_rows "${rows}")
  endforeach()
  file(CONFIGURE OUTPUT ${path} @ONLY CONTENT [[
/* SPDX-License-Identifier: MIT */
/* Generated by cmake/Extensions.cmake: the extensions built into this library. */
#include <stddef.h>

#include <pdict/ext/backend.h>
#include <pdict/ext/codec.h>

@externs@
extern const pdict_backend *const pdict__builtin_backends[];
extern const pdict_codec *const pdict__builtin_codecs[];

const pdict_backend *const pdict__builtin_backends[] = {
@backend_rows@    NULL,
};

const pdict_codec *const pdict__builtin_codecs[] = {
@codec_rows@    NULL,
};
]])
endfunction()
