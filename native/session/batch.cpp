#include "batch.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "checked_at.h"
#include "cpu/chunks.h"
#include "cpu/embedding.h"
#include "polydomain/error.h"
#include "row_order.h"

namespace polydomain {

namespace {

using Kind = InputSource::Kind;

constexpr int64_t kValueBytes = 4;
constexpr int64_t kCopiedRows = 256;  // of a column at once: each may miss the cache

InputSource sourceOf(const std::string& name) {
  if (name == kDomainInput) return {Kind::kDomain};
  if (name == "slot") return {Kind::kSlot};
  if (name == "label") return {Kind::kLabel};
  if (name == "weight") return {Kind::kWeight};
  const size_t colon = name.find(':');
  const std::string kind = name.substr(0, colon);
  const auto column = [&] { return std::stoul(name.substr(colon + 1)); };
  if (kind == "feature") return {Kind::kIds, column()};
  if (kind == "numeric") return {Kind::kNumbers, column()};
  if (kind == "list") return {Kind::kList, column()};
  throw Error(ErrorKind::kConfig,
              "program input '" + name +
                  "'; expected domain, slot, label, weight, feature:<index>, numeric:<index> or "
                  "list:<index>");
}

const int32_t* idsOf(const SplitData& split, size_t column) {
  return at(split.ids, column, "feature");
}
const float* numbersOf(const SplitData& split, size_t column) {
  return at(split.numbers, column, "numeric feature");
}
const IdLists& listsOf(const SplitData& split, size_t column) {
  return at(split.lists, column, "multi-valued feature");
}

int64_t shortest(const IdLists& lists, int64_t rows) {
  int64_t size = std::numeric_limits<int64_t>::max();
  for (int64_t r = 0; r < rows; ++r) {
    size = std::min<int64_t>(size, lists.offsets[r + 1] - lists.offsets[r]);
  }
  return size;
}

template <int64_t bytes>
void copyEach(const std::byte* from, int64_t base, std::span<const int32_t> rows, std::byte* to) {
  for (const int32_t row : rows) {
    std::memcpy(to, from + (base + row) * bytes, bytes);
    to += bytes;
  }
}

}  // namespace

BoundProgram::BoundProgram(const Graph& graph, ParameterSpace& space, ProgramOptions options)
    : program(std::make_unique<Program>(graph, space, std::move(options))) {
  for (const std::string& name : program->inputNames()) sources.push_back(sourceOf(name));
}

void BoundProgram::check(const SplitData& split) const {
  // Of rows in a file the bounds are known: they are held to them when they are read.
  const RowFile::Layout* file = split.file ? &split.file->layout() : nullptr;
  for (size_t input = 0; input < sources.size(); ++input) {
    const auto& [kind, column] = sources[input];
    switch (kind) {
      case Kind::kIds:
        if (file != nullptr) {
          const int32_t last = at(file->ids, column, "feature").size - 1;
          program->checkIds(input, &last, 1);
        } else {
          program->checkIds(input, idsOf(split, column), split.rows);
        }
        break;
      case Kind::kNumbers:
        if (file != nullptr) {
          at(file->numbers, column, "numeric feature");
        } else {
          numbersOf(split, column);
        }
        break;
      case Kind::kList: {
        if (file != nullptr) {
          // Any list may be short, and is filled up then.
          const std::array<int32_t, 2> ids = {
              at(file->lists, column, "multi-valued feature").size - 1, cpu::kNoId};
          program->checkIds(input, ids.data(), std::ssize(ids));
          break;
        }
        const IdLists& lists = listsOf(split, column);
        program->checkIds(input, lists.ids, lists.offsets[split.rows]);
        // What shorter lists are filled up with.
        if (shortest(lists, split.rows) < program->inputSize(input, 1)) {
          program->checkIds(input, &cpu::kNoId, 1);
        }
        break;
      }
      case Kind::kDomain:
      case Kind::kSlot: {
        const auto last = static_cast<int32_t>(split.domainOffsets.size()) - 2;
        program->checkIds(input, &last, 1);
        break;
      }
      case Kind::kLabel:
      case Kind::kWeight:
        break;
    }
  }
}

bool BoundProgram::readsSlot() const {
  return std::ranges::any_of(sources, [](const auto& from) { return from.kind == Kind::kSlot; });
}

void Batch::gather(const BoundProgram& bound, const SplitData& split, int64_t base,
                   std::span<const int32_t> order, int32_t domain, Program::Run& run) {
  run.rows = static_cast<int64_t>(order.size());
  run.inputs.clear();
  ids_.resize(split.ids.size());
  numbers_.resize(split.numbers.size());
  copies_.clear();
  for (size_t input = 0; input < bound.sources.size(); ++input) {
    const auto& [kind, column] = bound.sources[input];
    switch (kind) {
      case Kind::kIds:
        run.inputs.push_back({copyLater(idsOf(split, column), 1, order.size(), ids_[column])});
        break;
      case Kind::kNumbers:
        run.inputs.push_back(
            {copyLater(numbersOf(split, column), 2, order.size(), numbers_[column])});
        break;
      case Kind::kList:
        run.inputs.push_back({padded(listsOf(split, column), order, base,
                                     bound.program->inputSize(input, 1), column)});
        break;
      case Kind::kWeight:
        run.inputs.push_back({weightsOf(split, base, order)});
        break;
      case Kind::kDomain:
        run.inputs.push_back(
            {domain == kMixed ? domainsLater(order.size()) : domainColumn(domain, run.rows)});
        break;
      case Kind::kSlot:
        run.inputs.push_back({slotOf(domain)});
        break;
      case Kind::kLabel:
        run.inputs.push_back({copyLater(split.labels, 1, order.size(), labels_)});
        break;
    }
  }
  copyRows(*run.pool, split, base, order);
}

// Memory for `width` values of each row, which copyRows() fills.
template <typename Value>
const Value* Batch::copyLater(const Value* from, int64_t width, size_t rows,
                              std::vector<Value>& to) {
  static_assert(sizeof(Value) == kValueBytes);
  to.resize(rows * static_cast<size_t>(width));
  copies_.push_back(
      {reinterpret_cast<const std::byte*>(from), reinterpret_cast<std::byte*>(to.data()), width});
  return to.data();
}

// Row r of all copies = row base + order[r] of what they are of. Of domains base is 0.
void Batch::copyRows(ThreadPool& pool, const SplitData& split, int64_t base,
                     std::span<const int32_t> order) {
  const int64_t pieces = cpu::chunkCount(std::ssize(order), kCopiedRows);
  pool.parallelFor(pieces * std::ssize(copies_), [&](int64_t piece, int) {
    const Copy& copy = copies_[static_cast<size_t>(piece / pieces)];
    const int64_t begin = piece % pieces * kCopiedRows;
    const auto rows =
        order.subspan(static_cast<size_t>(begin))
            .first(static_cast<size_t>(std::min(kCopiedRows, std::ssize(order) - begin)));
    if (copy.from == nullptr) {
      int32_t* domain = reinterpret_cast<int32_t*>(copy.to) + begin;
      for (const int32_t row : rows) *domain++ = domainOfRow(split, row);
    } else if (copy.width == 1) {
      copyEach<kValueBytes>(copy.from, base, rows, copy.to + begin * kValueBytes);
    } else {
      copyEach<2 * kValueBytes>(copy.from, base, rows, copy.to + begin * 2 * kValueBytes);
    }
  });
}

void Batch::view(const BoundProgram& bound, const SplitData& split, int64_t first, int32_t domain,
                 Program::Run& run) {
  run.inputs.clear();
  for (size_t input = 0; input < bound.sources.size(); ++input) {
    const auto& [kind, column] = bound.sources[input];
    switch (kind) {
      case Kind::kIds:
        run.inputs.push_back({idsOf(split, column) + first});
        break;
      case Kind::kNumbers:
        run.inputs.push_back({numbersOf(split, column) + 2 * first});
        break;
      case Kind::kList:
        if (std::ssize(consecutive_) < run.rows) {
          consecutive_.resize(static_cast<size_t>(run.rows));
          std::iota(consecutive_.begin(), consecutive_.end(), 0);
        }
        run.inputs.push_back(
            {padded(listsOf(split, column), {consecutive_.data(), static_cast<size_t>(run.rows)},
                    first, bound.program->inputSize(input, 1), column)});
        break;
      case Kind::kWeight:
        if (split.weights == nullptr) {
          throw Error(ErrorKind::kConfig, "the split has no weights; expected one of each row");
        }
        run.inputs.push_back({split.weights + first});
        break;
      case Kind::kDomain:
        run.inputs.push_back({domainColumn(domain, run.rows)});
        break;
      case Kind::kSlot:
        run.inputs.push_back({slotOf(domain)});
        break;
      case Kind::kLabel:
        run.inputs.push_back({split.labels + first});
        break;
    }
  }
}

// The first `width` ids of each row's list, filled up with kNoId.
const int32_t* Batch::padded(const IdLists& lists, std::span<const int32_t> rows, int64_t base,
                             int64_t width, size_t column) {
  if (lists_.size() <= column) lists_.resize(column + 1);
  std::vector<int32_t>& out = lists_[column];
  out.resize(rows.size() * static_cast<size_t>(width));
  int32_t* to = out.data();
  for (const int32_t row : rows) {
    const int32_t* offset = lists.offsets + base + row;
    const int64_t count = std::min<int64_t>(width, offset[1] - offset[0]);
    to = std::copy_n(lists.ids + offset[0], count, to);
    to = std::fill_n(to, width - count, cpu::kNoId);
  }
  return out.data();
}

// The rows' weights, times those of their classes.
const float* Batch::weightsOf(const SplitData& split, int64_t base,
                              std::span<const int32_t> order) {
  weights_.resize(order.size());
  for (size_t r = 0; r < order.size(); ++r) {
    const int64_t row = base + order[r];
    const float own = split.weights == nullptr ? 1.0f : split.weights[row];
    weights_[r] = own * classWeights_[split.labels[row] > 0.5f ? 1 : 0];
  }
  return weights_.data();
}

const int32_t* Batch::slotOf(int32_t domain) {
  slot_ = sharedSlot_ >= 0 ? sharedSlot_ : domain;
  return &slot_;
}

// A column that names the domain of each row, once copyRows() has filled it: all of them are a
// search each.
const int32_t* Batch::domainsLater(size_t rows) {
  uniform_ = kMixed;
  return copyLater<int32_t>(nullptr, 1, rows, domains_);
}

// A column that names the domain in every row.
const int32_t* Batch::domainColumn(int32_t domain, int64_t rows) {
  if (domains_.size() < static_cast<size_t>(rows) || uniform_ != domain) {
    domains_.assign(static_cast<size_t>(rows), domain);
    uniform_ = domain;
  }
  return domains_.data();
}

}  // namespace polydomain
