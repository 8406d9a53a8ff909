#pragma once

#include <cmath>
#include <stdexcept>
#include <string>

namespace polydomain {

// One kind per error class of the TypeScript layer (ts/errors.ts).
enum class ErrorKind { kShape, kData, kConfig, kCheckpoint, kDevice, kBusy, kTrace, kTraining };

// Every failure that the core reports on purpose. The bindings turn it into the typed JavaScript
// error of the same kind.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

// A number for messages: the sign of a NaN says nothing.
inline std::string toText(double number) {
  return std::isnan(number) ? "NaN" : std::to_string(number);
}

}  // namespace polydomain
