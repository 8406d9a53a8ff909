# Libraries of the native part: the system's where there are any, else fetched and built.

include(FetchContent)

# Highway is used as headers alone. Debian ships no static library of it, and the addon may need no
# shared one; native/cpu/simd.cpp has the few functions that the headers leave open.
find_path(HIGHWAY_INCLUDE hwy/foreach_target.h)
if(NOT HIGHWAY_INCLUDE)
  message(STATUS "Highway's headers are not installed (Debian: libhwy-dev): fetching them")
  FetchContent_Declare(highway URL https://github.com/google/highway/archive/refs/tags/1.0.3.tar.gz)
  FetchContent_GetProperties(highway)
  if(NOT highway_POPULATED)
    FetchContent_Populate(highway)
  endif()
  set(HIGHWAY_INCLUDE "${highway_SOURCE_DIR}")
endif()
add_library(polydomain_highway INTERFACE)
target_include_directories(polydomain_highway SYSTEM INTERFACE "${HIGHWAY_INCLUDE}")
# The levels of native/cpu/simd.cpp: fewer copies of every kernel.
target_compile_definitions(polydomain_highway
  INTERFACE "HWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_AVX3_DL)")

macro(polydomain_require_gtest)
  find_package(GTest QUIET)
  if(NOT GTest_FOUND)
    message(STATUS "GoogleTest is not installed (Debian: libgtest-dev): fetching it")
    FetchContent_Declare(googletest
      URL https://github.com/google/googletest/archive/refs/tags/release-1.12.1.tar.gz)
    set(INSTALL_GTEST OFF)
    FetchContent_MakeAvailable(googletest)
    if(NOT TARGET GTest::gtest)
      add_library(GTest::gtest ALIAS gtest)
      add_library(GTest::gtest_main ALIAS gtest_main)
    endif()
  endif()
endmacro()

macro(polydomain_require_benchmark)
  find_package(benchmark QUIET)
  if(NOT benchmark_FOUND)
    message(STATUS "Google Benchmark is not installed (Debian: libbenchmark-dev): fetching it")
    set(BENCHMARK_ENABLE_TESTING OFF)
    set(BENCHMARK_ENABLE_INSTALL OFF)
    FetchContent_Declare(benchmark
      URL https://github.com/google/benchmark/archive/refs/tags/v1.7.1.tar.gz)
    FetchContent_MakeAvailable(benchmark)
  endif()
endmacro()
