#pragma once

// Memory-bound kernels: an operation on every element of a slab, or of rows of a table. An
// operation is a struct of pointers with
//
//   template <int W> struct Values;                  W consecutive elements of what it reads
//   void begin();                                    reads what holds for all elements
//   Values<W> load(int64_t table, int64_t own);      of the elements from table[table], own[own]
//   void store(int64_t table, int64_t own, Values<W>);
//   bool aligned() const;                            whether W = 4 is possible
//
// Of a slab both places are the same. Several loads are under way before the first store.

#include "grid.h"

namespace polydomain::cuda {

template <int W>
struct alignas(4 * W) Vec {
  float v[W];
};

template <int W>
POLYDOMAIN_DEVICE Vec<W> load(const float* from) {
  return *reinterpret_cast<const Vec<W>*>(from);
}

template <int W>
POLYDOMAIN_DEVICE void store(float* to, const Vec<W>& values) {
  *reinterpret_cast<Vec<W>*>(to) = values;
}

// Null is.
inline bool aligned16(const void* pointer) {
  return reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
}

template <class Operation, int W>
struct SlabKernel {
  static constexpr int kThreads = 256, kUnroll = 4;
  Operation operation;
  int64_t count;

  POLYDOMAIN_DEVICE void operator()(const Thread& thread) const {
    Operation own = operation;
    own.begin();
    const int64_t vectors = count / W;
    const int64_t first = thread.block * (kThreads * kUnroll) + thread.index;
    typename Operation::template Values<W> values[kUnroll] = {};
    POLYDOMAIN_UNROLL()
    for (int u = 0; u < kUnroll; ++u) {
      const int64_t at = first + u * kThreads;
      if (at < vectors) values[u] = own.template load<W>(at * W, at * W);
    }
    POLYDOMAIN_UNROLL()
    for (int u = 0; u < kUnroll; ++u) {
      const int64_t at = first + u * kThreads;
      if (at < vectors) own.store(at * W, at * W, values[u]);
    }
    const int64_t rest = vectors * W + thread.index;
    if (thread.block == thread.blocks - 1 && rest < count) {
      own.store(rest, rest, own.template load<1>(rest, rest));
    }
  }
};

// 2^laneBits threads side by side on one row.
template <class Operation, int W>
struct RowsKernel {
  static constexpr int kThreads = 256, kUnroll = 4;
  Operation operation;
  PolydomainCudaRows rows;
  int64_t stride;  // of the other operand's rows
  int laneBits;

  POLYDOMAIN_DEVICE void operator()(const Thread& thread) const {
    Operation own = operation;
    own.begin();
    const int64_t side = kThreads >> laneBits;  // rows beside each other
    const int64_t first = thread.block * side * kUnroll + (thread.index >> laneBits);
    int64_t ids[kUnroll] = {};
    POLYDOMAIN_UNROLL()
    for (int u = 0; u < kUnroll; ++u) {
      const int64_t row = first + u * side;
      if (row < rows.count) ids[u] = rows.ids == nullptr ? row : rows.ids[row];
    }
    const int lane = thread.index & ((1 << laneBits) - 1);
    for (int64_t column = lane * W; column < rows.dim; column += W << laneBits) {
      typename Operation::template Values<W> values[kUnroll] = {};
      POLYDOMAIN_UNROLL()
      for (int u = 0; u < kUnroll; ++u) {
        const int64_t row = first + u * side;
        if (row < rows.count) {
          values[u] = own.template load<W>(ids[u] * rows.dim + column, row * stride + column);
        }
      }
      POLYDOMAIN_UNROLL()
      for (int u = 0; u < kUnroll; ++u) {
        const int64_t row = first + u * side;
        if (row < rows.count) {
          own.store(ids[u] * rows.dim + column, row * stride + column, values[u]);
        }
      }
    }
  }
};

template <class Operation>
void sweepSlab(Stream& stream, const Operation& operation, int64_t count) {
  const auto blocks = [&](int64_t width) {
    return ceilDivide(
        count, width * SlabKernel<Operation, 1>::kThreads * SlabKernel<Operation, 1>::kUnroll);
  };
  if (operation.aligned()) {
    launch(stream, SlabKernel<Operation, 4>{operation, count}, blocks(4));
  } else {
    launch(stream, SlabKernel<Operation, 1>{operation, count}, blocks(1));
  }
}

// The fewest bits of lanes whose threads cover `vectors`, at most those of a warp.
inline int laneBitsOf(int64_t vectors) {
  int bits = 0;
  while (bits < 5 && (int64_t{1} << bits) < vectors) ++bits;
  return bits;
}

template <class Operation>
void sweepRows(Stream& stream, const Operation& operation, PolydomainCudaRows rows,
               int64_t stride) {
  if (rows.dim == 0) return;
  const auto launchWith = [&]<int W>() {
    using Kernel = RowsKernel<Operation, W>;
    const int laneBits = laneBitsOf(ceilDivide(rows.dim, W));
    const int64_t perBlock = (Kernel::kThreads >> laneBits) * Kernel::kUnroll;
    launch(stream, Kernel{operation, rows, stride, laneBits}, ceilDivide(rows.count, perBlock));
  };
  if (operation.aligned() && rows.dim % 4 == 0 && stride % 4 == 0) {
    launchWith.template operator()<4>();
  } else {
    launchWith.template operator()<1>();
  }
}

}  // namespace polydomain::cuda
