#pragma once

#include <exception>
#include <utility>

#include "device/device_space.h"
#include "polydomain/space.h"

// What a command opens in the space and does not leave open, whatever happens.
namespace polydomain {

// Opens a domain's overlay, if any, until keep(); an error drops what was done to it.
class ScopedOverlay {
 public:
  ScopedOverlay(ParameterSpace& space, OverlayId domain) : space_(space), open_(domain >= 0) {
    if (open_) space_.openOverlay(domain);
  }
  ~ScopedOverlay() {
    if (open_) space_.closeOverlay(false);
  }
  ScopedOverlay(const ScopedOverlay&) = delete;
  ScopedOverlay& operator=(const ScopedOverlay&) = delete;
  void keep() {
    if (open_) space_.closeOverlay(true);
    open_ = false;
  }

 private:
  ParameterSpace& space_;
  bool open_;
};

// A pass on the device, if there is one: what its steps have changed is the space's at the end,
// behind an error too. end() tells what its destructor cannot.
class ScopedDevicePass {
 public:
  ScopedDevicePass(DeviceSpace* mirror, OverlayId overlay, OptimizerState* optimizer)
      : mirror_(mirror) {
    if (mirror_ != nullptr) mirror_->beginPass(overlay, optimizer);
  }
  ~ScopedDevicePass() {
    try {
      end();
    } catch (const std::exception&) {
      // Another error is on its way already.
    }
  }
  ScopedDevicePass(const ScopedDevicePass&) = delete;
  ScopedDevicePass& operator=(const ScopedDevicePass&) = delete;
  void end() {
    DeviceSpace* mirror = std::exchange(mirror_, nullptr);
    if (mirror != nullptr) mirror->endPass();
  }

 private:
  DeviceSpace* mirror_;
};

// A mark that does not outlive its scope. end() tells what its destructor cannot.
class ScopedMark {
 public:
  explicit ScopedMark(ParameterSpace& space) : space_(space), id_(space.mark()) {}
  ~ScopedMark() {
    try {
      end();
    } catch (const std::exception&) {
      // Another error is on its way already.
    }
  }
  ScopedMark(const ScopedMark&) = delete;
  ScopedMark& operator=(const ScopedMark&) = delete;
  void end() {
    if (!std::exchange(ended_, true)) space_.release(id_);
  }
  MarkId id() const { return id_; }

 private:
  ParameterSpace& space_;
  MarkId id_;
  bool ended_ = false;
};

}  // namespace polydomain
