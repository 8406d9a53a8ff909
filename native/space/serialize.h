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

// Units of any container, and values of one that has them of all.
template <typename Units>
void writeUnits(const ParameterSpace::Write& write, const Units& units) {
  writeValue(write, units.size());
  for (int64_t i = 0; i < units.size(); ++i) writeValue(write, units.unit(i));
}

template <typename Store>
void writeStore(const ParameterSpace::Write& write, const Store& store) {
  writeUnits(write, store);
  for (int64_t i = 0; i < store.size(); i += store.together(i)) {
    write(store.values(i),
          static_cast<size_t>(store.together(i) * store.unitSize()) * sizeof(float));
  }
}

// Calls add(unit), which says whether it is new, for what writeUnits wrote; `units` bounds them.
template <typename Add>
void readUnits(const ParameterSpace::Read& read, int64_t units, const Add& add) {
  const auto size = readValue<int64_t>(read);
  if (size < 0 || size > units) {
    throw Error(ErrorKind::kCheckpoint, "the checkpoint holds " + std::to_string(size) +
                                            " units of a region that has " + std::to_string(units));
  }
  for (int64_t i = 0; i < size; ++i) {
    const auto unit = readValue<uint32_t>(read);
    if (unit < units && add(unit)) continue;
    throw Error(ErrorKind::kCheckpoint, "the checkpoint names unit " + std::to_string(unit) +
                                            " twice or beyond the " + std::to_string(units) +
                                            " there are");
  }
}

// Fills an empty store; `units` bounds what it may hold.
template <typename Store>
void readStore(const ParameterSpace::Read& read, int64_t units, Store& store) {
  readUnits(read, units, [&](uint32_t unit) { return store.place(unit).second; });
  for (int64_t i = 0; i < store.size(); i += store.together(i)) {
    read(store.values(i),
         static_cast<size_t>(store.together(i) * store.unitSize()) * sizeof(float));
  }
}

}  // namespace polydomain
