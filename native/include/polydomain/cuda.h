#pragma once

#include <string>

#include "polydomain/cuda_api.h"

namespace polydomain {

// The CUDA plugin is a file of its own, opened where there is a driver; nothing else links to CUDA.

inline constexpr const char* kCudaDriver = "libcuda.so.1";

// CUDA's version that the driver supports, as 1000 major + 10 minor; 0 where there is no driver.
int cudaDriverVersion(const char* driver = kCudaDriver);

// The file that POLYDOMAIN_CUDA names, else libpolydomain_cuda.so beside the running library or
// program.
std::string cudaPluginPath();

// The plugin's functions. It stays open until the process ends. Throws Error(kDevice) that says why
// the file cannot be used.
const PolydomainCudaApi& openCudaPlugin(const std::string& path);

// Throws Error(kDevice) with the plugin's message where a call of it failed.
void requireCuda(const PolydomainCudaApi& api, int status);

// One line: the driver, the devices and the plugin, or which of them is missing and why.
std::string describeCuda(const std::string& plugin, const char* driver = kCudaDriver);

}  // namespace polydomain
