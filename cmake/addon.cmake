# The Node addon: bindings/ over the core, as <build folder>/polydomain.node.

file(GLOB BINDING_SOURCES CONFIGURE_DEPENDS bindings/*.cpp)
add_library(polydomain MODULE ${BINDING_SOURCES})
set_target_properties(polydomain PROPERTIES PREFIX "" SUFFIX ".node")
target_include_directories(polydomain PRIVATE bindings)
target_include_directories(polydomain SYSTEM PRIVATE ${POLYDOMAIN_NODE_INCLUDE})
# Where an environment is at its end (a worker that is terminated), errors have nobody to go to.
target_compile_definitions(polydomain PRIVATE NAPI_VERSION=9 NAPI_CPP_EXCEPTIONS
                                              NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS
                                              POLYDOMAIN_VERSION="${PROJECT_VERSION}")
target_link_libraries(polydomain PRIVATE polydomain_core)
if(APPLE)
  # Node's own symbols are found in the process that loads the addon.
  target_link_options(polydomain PRIVATE -undefined dynamic_lookup)
elseif(NOT POLYDOMAIN_SANITIZE)
  # Only glibc is left to the system; nothing but the Node-API entry point is exported.
  target_link_options(polydomain PRIVATE -static-libstdc++ -static-libgcc
                      -Wl,--exclude-libs,ALL -Wl,--gc-sections -Wl,-z,relro,-z,now)
endif()
