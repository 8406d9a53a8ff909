#include "moved_rows.h"

#include <algorithm>
#include <string>

#include "polydomain/error.h"

namespace polydomain {

void moveRows(Storage& table, int64_t width, std::span<const int32_t> from) {
  const auto rows = static_cast<int64_t>(from.size());
  const auto before =
      static_cast<int64_t>(table.bytes() / sizeof(float) / static_cast<size_t>(width));
  std::vector<float> moved;
  const auto moves = [&](int64_t row) {
    const int32_t source = from[static_cast<size_t>(row)];
    return source != kNewRow && source != row;
  };
  const auto* old = static_cast<const float*>(table.data());
  for (int64_t row = 0; row < rows; ++row) {
    if (!moves(row)) continue;
    const float* values = old + from[static_cast<size_t>(row)] * width;
    moved.insert(moved.end(), values, values + width);
  }
  table.resize(static_cast<size_t>(rows * width) * sizeof(float));
  auto* values = static_cast<float*>(table.data());
  const float* next = moved.data();
  for (int64_t row = 0; row < rows; ++row) {
    if (moves(row)) {
      std::copy_n(next, width, values + row * width);
      next += width;
    } else if (from[static_cast<size_t>(row)] == kNewRow && row < before) {
      std::fill_n(values + row * width, width, 0.0f);
    }
  }
}

std::vector<int32_t> destinations(std::span<const int32_t> from, int64_t rows) {
  std::vector<int32_t> to(static_cast<size_t>(rows), kNewRow);
  for (size_t row = 0; row < from.size(); ++row) {
    const int32_t source = from[row];
    if (source == kNewRow) continue;
    if (source < 0 || source >= rows || to[static_cast<size_t>(source)] != kNewRow) {
      throw Error(ErrorKind::kConfig, "row " + std::to_string(row) + " comes from row " +
                                          std::to_string(source) + "; expected one of " +
                                          std::to_string(rows) + " that goes nowhere else");
    }
    to[static_cast<size_t>(source)] = static_cast<int32_t>(row);
  }
  return to;
}

}  // namespace polydomain
