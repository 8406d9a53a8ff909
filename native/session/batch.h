#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "polydomain/session.h"

namespace polydomain {

// What fills an input of a program: a column of the split, or what the batch itself determines.
struct InputSource {
  enum class Kind : uint8_t { kIds, kNumbers, kList, kDomain, kSlot, kLabel, kWeight };
  Kind kind;
  size_t column = 0;  // kIds, kNumbers, kList: index into the split's columns of that kind
};

// A training, gradient or evaluation program and where its inputs come from.
struct BoundProgram {
  // Throws Error(kConfig) for an input of another name than addTrainingProgram() tells.
  BoundProgram(const Graph& graph, ParameterSpace& space, ProgramOptions options);

  // Kernels trust ids: throws Error(kConfig, kData) when the split lacks a column that the program
  // reads, or has ids outside its tables.
  void check(const SplitData& split) const;
  // Whether all rows of a batch have to be of one bank slot.
  bool readsSlot() const;

  std::unique_ptr<Program> program;
  std::vector<InputSource> sources;  // by input
};

// The inputs of the step at hand. All memory is kept between steps, so that they allocate nothing.
class Batch {
 public:
  static constexpr int32_t kMixed = -1;

  // Weights of rows with label 0 and 1, for gather().
  explicit Batch(std::array<float, 2> classWeights) : classWeights_(classWeights) {}

  // Binds run.inputs to copies of the split's rows base + order[..]. `domain` is that of all of
  // them, or kMixed: base is 0 then.
  void gather(const BoundProgram& bound, const SplitData& split, int64_t base,
              std::span<const int32_t> order, int32_t domain, Program::Run& run);
  // Binds run.inputs to the split's rows [first, first + run.rows), all of one domain. Nothing that
  // lies there in the form in which the program reads it is copied.
  void view(const BoundProgram& bound, const SplitData& split, int64_t first, int32_t domain,
            Program::Run& run);

  // The bank slot that every domain uses; -1: each its own.
  void shareSlot(int32_t slot) { sharedSlot_ = slot; }
  int32_t sharedSlot() const { return sharedSlot_; }

 private:
  struct Copy {
    const std::byte* from;  // null: the rows' domains
    std::byte* to;
    int64_t width;  // values to a row
  };

  template <typename Value>
  const Value* copyLater(const Value* from, int64_t width, size_t rows, std::vector<Value>& to);
  void copyRows(ThreadPool& pool, const SplitData& split, int64_t base,
                std::span<const int32_t> order);
  const int32_t* padded(const IdLists& lists, std::span<const int32_t> rows, int64_t base,
                        int64_t width, size_t column);
  const float* weightsOf(const SplitData& split, int64_t base, std::span<const int32_t> order);
  const int32_t* slotOf(int32_t domain);
  const int32_t* domainsLater(size_t rows);
  const int32_t* domainColumn(int32_t domain, int64_t rows);

  std::array<float, 2> classWeights_;
  std::vector<Copy> copies_;  // of the step at hand
  std::vector<std::vector<int32_t>> ids_, lists_;
  std::vector<std::vector<float>> numbers_;
  std::vector<float> labels_, weights_;
  std::vector<int32_t> consecutive_;
  std::vector<int32_t> domains_;
  int32_t uniform_ = kMixed;  // the domain that all of domains_ name
  int32_t slot_ = 0, sharedSlot_ = -1;
};

}  // namespace polydomain
