#pragma once

#include <functional>
#include <optional>
#include <string>

#include "polydomain/error.h"

namespace polydomain {

// The kind of the Error that `action` throws, and its message; nothing when it throws none.
inline std::optional<ErrorKind> kindOfFailure(const std::function<void()>& action,
                                              std::string* message = nullptr) {
  try {
    action();
  } catch (const Error& error) {
    if (message != nullptr) *message = error.what();
    return error.kind();
  }
  return std::nullopt;
}

}  // namespace polydomain
