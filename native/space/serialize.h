#pragma once

#include <string>
#include <vector>

#include "polydomain/error.h"
#include "polydomain/space.h"
#include "unit_store.h"

// Values to bytes and back, for checkpoints on the machine that wrote them.
namespace polydomain {

template <typename Value>
void writeValue(const ParameterSpace::Write& write, const Value& value) {
  static_assert(std::is_trivially_copyable_v<Value>);
  write(&value, sizeof(value));
}

template <typename Value>
Value readValue(const ParameterSpace::Read& read) {
  Value value;
  read(&value, sizeof(value));
  return value;
}

inline void requireEqual(int64_t found, int64_t expected, const char* what) {
  if (found == expected) return;
  throw Error(ErrorKind::kCheckpoint, std::string("the checkpoint holds ") + std::to_string(found) +
                                          " " + what + "; this model has " +
                                          std::to_string(expected));
}

inline void writeStore(const ParameterSpace::Write& write, const UnitStore& store) {
  writeValue(write, store.size());
  for (int64_t i = 0; i < store.size(); ++i) writeValue(write, store.unit(i));
  write(store.values(0), static_cast<size_t>(store.size() * store.unitSize()) * sizeof(float));
}

// Fills an empty store; `units` bounds what it may hold.
inline void readStore(const ParameterSpace::Read& read, int64_t units, UnitStore& store) {
  const auto size = readValue<int64_t>(read);
  if (size < 0 || size > units) {
    throw Error(ErrorKind::kCheckpoint, "the checkpoint holds " + std::to_string(size) +
                                            " units of a region that has " + std::to_string(units));
  }
  store.reserve(size);
  for (int64_t i = 0; i < size; ++i) {
    const auto unit = readValue<uint32_t>(read);
    if (unit >= units || !store.insert(unit).second) {
      throw Error(ErrorKind::kCheckpoint, "the checkpoint names unit " + std::to_string(unit) +
                                              " twice or beyond the " + std::to_string(units) +
                                              " there are");
    }
  }
  read(store.values(0), static_cast<size_t>(size * store.unitSize()) * sizeof(float));
}

}  // namespace polydomain
