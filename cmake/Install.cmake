# SPDX-License-Identifier: MIT
# What is installed, and how others find it: CMake package, pdict.pc, headers, libraries, command.
include(CMakePackageConfigHelpers)

install(DIRECTORY include/pdict DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT dev FILES_MATCHING PATTERN "*.h")

# Two export sets: the static library carries link dependencies of its own, and somebody who
# links the shared one must not need their development packages.
install(TARGETS pdict EXPORT pdict_shared
  LIBRARY COMPONENT runtime NAMELINK_COMPONENT dev)
install(TARGETS pdict_static EXPORT pdict_static
  ARCHIVE COMPONENT dev)
if(TARGET pdict_tool)
  install(TARGETS pdict_tool RUNTIME COMPONENT tools)
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/pdict)
install(EXPORT pdict_shared NAMESPACE pdict:: FILE pdictShared.cmake
  DESTINATION ${package_dir} COMPONENT dev)
install(EXPORT pdict_static NAMESPACE pdict:: FILE pdictStatic.cmake
  DESTINATION ${package_dir} COMPONENT dev)

set(pc_modules ${needs})
list(FILTER pc_modules INCLUDE REGEX "^PkgConfig::")
list(TRANSFORM pc_modules REPLACE "^PkgConfig::" "")
list(JOIN pc_modules " " pc_requires_private)
set(packages ${needs})
list(FILTER packages EXCLUDE REGEX "^PkgConfig::")
list(TRANSFORM packages REPLACE "::.*" "")

configure_package_config_file(cmake/pdictConfig.cmake.in pdictConfig.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(pdictConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/pdictConfig.cmake ${PROJECT_BINARY_DIR}/pdictConfigVersion.cmake
  DESTINATION ${package_dir} COMPONENT dev)

# Relative to where pdict.pc itself lies, so that an installed tree can be moved as a whole.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
  set(pc_libdir ${CMAKE_INSTALL_FULL_LIBDIR})
  set(pc_includedir ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
  file(RELATIVE_PATH up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  string(REGEX REPLACE "/$" "" up ${up})
  set(pc_prefix "\${pcfiledir}/${up}")
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(cmake/pdict.pc.in pdict.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/pdict.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT dev)
