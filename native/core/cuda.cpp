#include "polydomain/cuda.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "polydomain/error.h"

namespace polydomain {

namespace {

[[noreturn]] void throwPlugin(const std::string& path, const std::string& problem) {
  throw Error(ErrorKind::kDevice, "CUDA plugin " + path + ": " + problem);
}

std::string versionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// "NVIDIA H100 80GB HBM3 (sm_90, 79 GiB)"
std::string deviceText(const PolydomainCudaDevice& device) {
  return std::string(device.name) + " (sm_" + std::to_string(device.major) +
         std::to_string(device.minor) + ", " + std::to_string(device.memory >> 30) + " GiB)";
}

}  // namespace

int cudaDriverVersion(const char* driver) {
  void* library = dlopen(driver, RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) return 0;
  const auto ask = reinterpret_cast<int (*)(int*)>(dlsym(library, "cuDriverGetVersion"));
  int version = 0;
  if (ask != nullptr && ask(&version) != 0) version = 0;
  dlclose(library);
  return version;
}

std::string cudaPluginPath() {
  const char* named = std::getenv("POLYDOMAIN_CUDA");
  if (named != nullptr) return named;
  Dl_info own{};
  dladdr(reinterpret_cast<const void*>(&cudaPluginPath), &own);
  const std::filesystem::path file = own.dli_fname == nullptr ? "" : own.dli_fname;
  return (file.parent_path() / "libpolydomain_cuda.so").string();
}

const PolydomainCudaApi& openCudaPlugin(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throwPlugin(path, std::string(dlerror()) +
                          "; expected the file that the preset 'cuda' builds, there or where "
                          "POLYDOMAIN_CUDA says");
  }
  void* symbol = dlsym(library, POLYDOMAIN_CUDA_API_SYMBOL);
  if (symbol == nullptr) {
    dlclose(library);
    throwPlugin(path, "has no function " POLYDOMAIN_CUDA_API_SYMBOL);
  }
  const PolydomainCudaApi* api = reinterpret_cast<PolydomainCudaApiFunction>(symbol)();
  if (api->version != POLYDOMAIN_CUDA_API_VERSION) {
    const uint32_t version = api->version;
    dlclose(library);
    throwPlugin(path, "its interface has version " + std::to_string(version) + "; expected " +
                          std::to_string(POLYDOMAIN_CUDA_API_VERSION));
  }
  return *api;
}

void requireCuda(const PolydomainCudaApi& api, int status) {
  if (status != 0) throw Error(ErrorKind::kDevice, api.lastError());
}

std::string describeCuda(const std::string& plugin, const char* driver) {
  const int version = cudaDriverVersion(driver);
  if (version == 0) return "no NVIDIA driver (" + std::string(driver) + ")";
  const std::string found = "NVIDIA driver for CUDA " + versionText(version) + ", ";
  try {
    const PolydomainCudaApi& api = openCudaPlugin(plugin);
    int32_t count = 0;
    requireCuda(api, api.deviceCount(&count));
    std::string text;
    for (int32_t device = 0; device < count; ++device) {
      PolydomainCudaDevice info;
      requireCuda(api, api.deviceInfo(device, &info));
      text += deviceText(info) + ", " + (info.cublasLt != 0 ? "cuBLASLt" : "no cuBLASLt") + ", ";
    }
    return found + text + "plugin " + plugin;
  } catch (const Error& error) {
    return found + error.what();
  }
}

}  // namespace polydomain
