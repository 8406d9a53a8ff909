#include "spill_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "core/unnamed_file.h"
#include "polydomain/error.h"

namespace polydomain {

namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kSmallestChunk = 1 << 20;
constexpr int64_t kLargestChunk = 64 << 20;

int64_t roundUp(int64_t bytes, int64_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

// Sizes of blocks: eight between two powers of two, so that freed ones fit others.
int64_t blockBytes(size_t bytes) {
  const auto power = static_cast<int64_t>(std::bit_floor(std::max<size_t>(bytes, 1)));
  return roundUp(static_cast<int64_t>(bytes), std::max(kAlignment, power / 8));
}

}  // namespace

SpillFile::SpillFile(std::string folder, int64_t budget)
    : folder_(std::move(folder)), budget_(budget) {}

SpillFile::~SpillFile() {
  for (const Chunk& chunk : chunks_) ::munmap(chunk.data, static_cast<size_t>(chunk.bytes));
  if (file_ >= 0) ::close(file_);
}

int64_t SpillFile::bytes() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

int64_t SpillFile::residentBytes() const {
  const std::lock_guard lock(mutex_);
  return resident_ * kWindow;
}

void SpillFile::Part::use() {
  const std::lock_guard lock(file_->mutex_);
  for (const Block& block : blocks_) file_->use(block);
}

void* SpillFile::Part::do_allocate(size_t bytes, size_t) {
  const std::lock_guard lock(file_->mutex_);
  const Block block = file_->take(blockBytes(bytes));
  blocks_.push_back(block);
  file_->use(block);
  return block.data;
}

void SpillFile::Part::do_deallocate(void* data, size_t, size_t) {
  const std::lock_guard lock(file_->mutex_);
  const auto block =
      std::find_if(blocks_.begin(), blocks_.end(), [&](const Block& b) { return b.data == data; });
  file_->free_[block->bytes].push_back(*block);
  *block = blocks_.back();
  blocks_.pop_back();
}

SpillFile::Part::Block SpillFile::take(int64_t bytes) {
  const auto found = free_.find(bytes);
  if (found != free_.end() && !found->second.empty()) {
    const Part::Block block = found->second.back();
    found->second.pop_back();
    return block;
  }
  if (chunks_.empty() || next_ + bytes > chunks_.back().bytes) grow(bytes);
  const Chunk& chunk = chunks_.back();
  const Part::Block block{chunk.data + next_, chunk.offset + next_, bytes};
  next_ += bytes;
  return block;
}

// The disk's space is taken before it is mapped: a write to a mapping could only fail by a signal.
void SpillFile::grow(int64_t bytes) {
  const int64_t chunk =
      roundUp(std::max(bytes, std::clamp(size_, kSmallestChunk, kLargestChunk)), kWindow);
  const auto fail = [&](int why) {
    throw Error(ErrorKind::kCheckpoint,
                "folder '" + folder_ + "' cannot hold the domains' own values beyond the budget: " +
                    std::strerror(why) + "; expected room for a file of " +
                    std::to_string(size_ + chunk) + " bytes, which holds " + std::to_string(size_) +
                    " so far");
  };
  if (file_ < 0) {
    file_ = openUnnamed(folder_, "overlays");
    if (file_ < 0) fail(errno);
  }
  int code = EINTR;
  while (code == EINTR) code = ::posix_fallocate(file_, size_, chunk);
  if (code != 0) fail(code);
  // A window larger than needed, so that one on a border of windows lies in it.
  const auto reserved = static_cast<size_t>(chunk + kWindow);
  void* area = ::mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) fail(errno);
  auto* begin = static_cast<char*>(area);
  auto* data = reinterpret_cast<char*>(
      roundUp(static_cast<int64_t>(reinterpret_cast<intptr_t>(begin)), kWindow));
  if (data > begin) ::munmap(begin, static_cast<size_t>(data - begin));
  char* end = begin + reserved;
  if (end > data + chunk) ::munmap(data + chunk, static_cast<size_t>(end - (data + chunk)));
  if (::mmap(data, static_cast<size_t>(chunk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
             file_, size_) == MAP_FAILED) {
    code = errno;
    ::munmap(data, static_cast<size_t>(chunk));
    fail(code);
  }
  // Else a page that is touched brings in others, up to those of a whole huge page.
  ::madvise(data, static_cast<size_t>(chunk), MADV_RANDOM);
  chunks_.push_back({data, size_, chunk});
  size_ += chunk;
  windows_.resize(static_cast<size_t>(size_ / kWindow));
  next_ = 0;
}

void SpillFile::use(const Part::Block& block) {
  for (int64_t w = block.offset / kWindow; w <= (block.offset + block.bytes - 1) / kWindow; ++w) {
    if (w == newest_) continue;
    Window& window = windows_[static_cast<size_t>(w)];
    if (window.resident) {
      unlink(w);
    } else {
      advise(w, MADV_WILLNEED);
    }
    window = {newest_, kNone, true};
    ++resident_;
    if (newest_ != kNone) windows_[static_cast<size_t>(newest_)].after = w;
    if (oldest_ == kNone) oldest_ = w;
    newest_ = w;
    evict();
  }
}

void SpillFile::unlink(int64_t w) {
  Window& window = windows_[static_cast<size_t>(w)];
  (window.before == kNone ? oldest_ : windows_[static_cast<size_t>(window.before)].after) =
      window.after;
  (window.after == kNone ? newest_ : windows_[static_cast<size_t>(window.after)].before) =
      window.before;
  window.resident = false;
  --resident_;
}

// Pages that go keep their content: the system writes them to the file.
void SpillFile::evict() {
  while (resident_ > 1 && resident_ * kWindow > budget_) {
    const int64_t window = oldest_;
    unlink(window);
    advise(window, MADV_DONTNEED);
  }
}

void SpillFile::advise(int64_t window, int advice) const {
  const int64_t offset = window * kWindow;
  const auto after =
      std::upper_bound(chunks_.begin(), chunks_.end(), offset,
                       [](int64_t value, const Chunk& chunk) { return value < chunk.offset; });
  const Chunk& chunk = *std::prev(after);
  ::madvise(chunk.data + (offset - chunk.offset), kWindow, advice);
}

}  // namespace polydomain
