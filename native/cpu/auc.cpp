#include "auc.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "chunks.h"
#include "core/unnamed_file.h"
#include "polydomain/error.h"

namespace polydomain::cpu {

namespace {

// An unsigned key that orders as the floats do (-0 as 0), with the label below it.
uint64_t keyOf(float score, bool positive) {
  const auto bits = std::bit_cast<uint32_t>(score + 0.0f);
  const uint32_t ordered = bits ^ ((bits >> 31) != 0 ? 0xffffffffu : 0x80000000u);
  return static_cast<uint64_t>(ordered) << 1 | static_cast<uint64_t>(positive);
}

// Twice the number of (positive, negative) pairs in the right order, ties counting one, of keys
// that come in ascending order: integers, hence exact.
class PairCount {
 public:
  void add(uint64_t key) {
    if (key >> 1 != score_) endTie();
    score_ = key >> 1;
    ++tied_[key & 1];
  }

  // NaN when a class is missing.
  double auc() {
    endTie();
    const auto [negatives, positives] = before_;
    if (negatives == 0 || positives == 0) return std::numeric_limits<double>::quiet_NaN();
    return static_cast<double>(twicePairs_) / 2.0 / static_cast<double>(positives) /
           static_cast<double>(negatives);
  }

 private:
  void endTie() {
    twicePairs_ += tied_[1] * (2 * before_[0] + tied_[0]);
    for (size_t label = 0; label < tied_.size(); ++label) {
      before_[label] += std::exchange(tied_[label], 0);
    }
  }

  uint64_t score_ = 0, twicePairs_ = 0;
  std::array<uint64_t, 2> tied_{}, before_{};  // by label
};

constexpr auto kKeyBytes = static_cast<int64_t>(sizeof(uint64_t));
constexpr int64_t kSmallestPiece = 512;  // keys of a run that are read at a time

}  // namespace

double auc(ThreadPool& pool, const float* scores, const float* labels, int64_t count) {
  Ranking ranking(pool, count, {});
  ranking.add(scores, labels, count);
  return ranking.auc();
}

Ranking::Ranking(ThreadPool& pool, int64_t held, std::string folder)
    : pool_(pool), held_(static_cast<size_t>(held)), folder_(std::move(folder)) {
  keys_.reserve(held_);
}

Ranking::~Ranking() {
  if (file_ >= 0) ::close(file_);
}

void Ranking::add(const float* scores, const float* labels, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    if (keys_.size() == held_) spill();
    keys_.push_back(keyOf(scores[i], labels[i] > 0.5f));
  }
}

double Ranking::auc() {
  if (!runs_.empty()) return merged();
  sort();
  PairCount pairs;
  for (const uint64_t key : keys_) pairs.add(key);
  return pairs.auc();
}

void Ranking::sort() {
  constexpr int64_t kRun = kChunkElements;
  const auto count = static_cast<int64_t>(keys_.size());
  forChunks(pool_, count, kRun, [&](int64_t begin, int64_t end) {
    std::sort(keys_.begin() + begin, keys_.begin() + end);
  });
  if (count > kRun) sorting_.resize(keys_.size());
  for (int64_t width = kRun; width < count; width *= 2) {
    forChunks(pool_, count, 2 * width, [&](int64_t begin, int64_t end) {
      const auto middle = keys_.begin() + std::min(end, begin + width);
      std::merge(keys_.begin() + begin, middle, middle, keys_.begin() + end,
                 sorting_.begin() + begin);
    });
    keys_.swap(sorting_);
  }
}

void Ranking::spill() {
  sort();
  if (file_ < 0) file_ = openUnnamed(folder_, "scores");
  if (file_ < 0) fail("hold", errno);
  const auto* from = reinterpret_cast<const char*>(keys_.data());
  for (int64_t left = std::ssize(keys_) * kKeyBytes; left > 0;) {
    const ssize_t written = ::write(file_, from, static_cast<size_t>(left));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("hold", errno);
    from += written;
    left -= written;
  }
  runs_.push_back((runs_.empty() ? 0 : runs_.back()) + std::ssize(keys_));
  keys_.clear();
}

void Ranking::fail(const char* what, int why) const {
  const int64_t rows = (runs_.empty() ? 0 : runs_.back()) + std::ssize(keys_);
  throw Error(ErrorKind::kCheckpoint, "folder '" + folder_ + "' cannot " + what +
                                          " the scores of rows on disk: " + std::strerror(why) +
                                          "; expected room for " + std::to_string(kKeyBytes) +
                                          " bytes of each row of the largest domain, of which " +
                                          std::to_string(rows) + " were scored so far");
}

// Round by round, what no run can have anything below is taken from all of them and sorted.
double Ranking::merged() {
  if (!keys_.empty()) spill();
  struct Run {
    int64_t next, end;  // what is still in the file
    std::vector<uint64_t> keys;
    std::vector<uint64_t>::const_iterator at;
  };
  std::vector<Run> runs;
  for (int64_t begin = 0; const int64_t end : runs_) {
    runs.push_back({std::exchange(begin, end), end, {}, {}});
    runs.back().at = runs.back().keys.cbegin();
  }
  const int64_t piece = std::max(kSmallestPiece, static_cast<int64_t>(held_) / std::ssize(runs));
  const auto refill = [&](Run& run) {
    run.keys.resize(static_cast<size_t>(std::min(piece, run.end - run.next)));
    auto* to = reinterpret_cast<char*>(run.keys.data());
    int64_t offset = run.next * kKeyBytes;
    for (int64_t left = std::ssize(run.keys) * kKeyBytes; left > 0;) {
      const ssize_t got = ::pread(file_, to, static_cast<size_t>(left), offset);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) fail("return", got < 0 ? errno : EIO);
      to += got;
      offset += got;
      left -= got;
    }
    run.next += std::ssize(run.keys);
    run.at = run.keys.cbegin();
  };
  PairCount pairs;
  do {
    uint64_t bound = std::numeric_limits<uint64_t>::max();
    for (Run& run : runs) {
      if (run.at == run.keys.cend() && run.next < run.end) refill(run);
      if (run.next < run.end) bound = std::min(bound, run.keys.back());
    }
    keys_.clear();
    for (Run& run : runs) {
      const auto end = std::upper_bound(run.at, run.keys.cend(), bound);
      keys_.insert(keys_.end(), run.at, end);
      run.at = end;
    }
    sort();
    for (const uint64_t key : keys_) pairs.add(key);
  } while (!keys_.empty());
  return pairs.auc();
}

double logLoss(const float* scores, const float* labels, int64_t count) {
  constexpr double kSmallest = 1e-7;
  double sum = 0.0;
  for (int64_t i = 0; i < count; ++i) {
    const double p = std::clamp(static_cast<double>(scores[i]), kSmallest, 1.0 - kSmallest);
    const auto y = static_cast<double>(labels[i]);
    sum -= y * std::log(p) + (1.0 - y) * std::log1p(-p);
  }
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
}

}  // namespace polydomain::cpu
