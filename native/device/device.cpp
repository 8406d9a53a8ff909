#include "polydomain/device.h"

#include "polydomain/error.h"

namespace polydomain {

std::shared_ptr<Device> Device::open(const std::string& plugin, const char* driver) {
  if (cudaDriverVersion(driver) == 0) {
    throw Error(ErrorKind::kDevice, "device 'cuda': no NVIDIA driver (" + std::string(driver) +
                                        "); expected one, or device 'cpu'");
  }
  const PolydomainCudaApi& api = openCudaPlugin(plugin);
  int32_t devices = 0;
  requireCuda(api, api.deviceCount(&devices));
  if (devices == 0) {
    throw Error(ErrorKind::kDevice,
                "device 'cuda': the driver has no device; expected one, or device 'cpu'");
  }
  return std::make_shared<Device>(api);
}

Device::Device(const PolydomainCudaApi& api) : api_(api) {
  requireCuda(api_, api_.createStream(0, &stream_));
}

Device::~Device() { api_.destroyStream(stream_); }

}  // namespace polydomain
