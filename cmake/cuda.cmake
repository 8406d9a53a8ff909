# The CUDA plugin (libpolydomain_cuda.so), and what runs on a device: its tests and its benchmark.
# Nothing but the driver is needed where it runs; cuBLASLt is opened there if it is installed.

if(NOT CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
endif()
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  # CMake before 3.26 does not know that nvcc has it.
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
endif()
# As for the CPU: a * b + c is contracted nowhere but where the code says so.
set(CUDA_FLAGS --fmad=false -Xcompiler=-Wall,-Wextra,-Werror)

file(GLOB CUDA_SOURCES CONFIGURE_DEPENDS native/cuda/*.cu)
add_library(polydomain_cuda MODULE ${CUDA_SOURCES})
set_target_properties(polydomain_cuda PROPERTIES CUDA_RUNTIME_LIBRARY Static
                                                 CUDA_VISIBILITY_PRESET hidden)
target_compile_options(polydomain_cuda PRIVATE ${CUDA_FLAGS})
target_include_directories(polydomain_cuda PRIVATE native/include native)
target_link_libraries(polydomain_cuda PRIVATE ${CMAKE_DL_LIBS})
target_link_options(polydomain_cuda PRIVATE -static-libstdc++ -static-libgcc
                    -Wl,--exclude-libs,ALL -Wl,--no-undefined)

polydomain_require_gtest()
file(GLOB DEVICE_TESTS CONFIGURE_DEPENDS native/test/cuda_*_test.cpp native/test/device/*.cpp)
list(FILTER DEVICE_TESTS EXCLUDE REGEX cuda_plugin_test)
add_executable(cuda_device_tests ${DEVICE_TESTS})
target_include_directories(cuda_device_tests PRIVATE native/test)
target_link_libraries(cuda_device_tests PRIVATE polydomain_core GTest::gtest GTest::gtest_main)

add_executable(cuda_bench native/bench/cuda/bench.cpp)
target_link_libraries(cuda_bench PRIVATE polydomain_core)
add_executable(cuda_training_bench native/bench/cuda/training.cpp)
target_link_libraries(cuda_training_bench PRIVATE polydomain_core)
