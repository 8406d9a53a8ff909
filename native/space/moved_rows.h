#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "polydomain/tensor.h"

namespace polydomain {

inline constexpr int32_t kNewRow = -1;

// Makes row r of a table of float rows what row from[r] was, or zeros where that is kNewRow. The
// table gets as many rows as `from` has. Costs what moves: rows that stay are not touched.
void moveRows(Storage& table, int64_t width, std::span<const int32_t> from);

// For each of the `rows` rows before where it goes, or kNewRow where it goes nowhere. Throws
// Error(kConfig) for rows that were not there, or go to two places.
std::vector<int32_t> destinations(std::span<const int32_t> from, int64_t rows);

}  // namespace polydomain
