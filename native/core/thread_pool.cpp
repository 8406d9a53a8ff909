#include "polydomain/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#include <sched.h>

#include "polydomain/error.h"
#include "wait.h"

namespace polydomain {

namespace {

constexpr int kMaxThreads = 256;
// Waking a thread that sleeps takes longer than the serial work between two jobs of a step.
constexpr auto kSpin = std::chrono::microseconds(100);

// The state of a job in one word, so that claiming a chunk also proves which job it belongs to:
// generation (24 bits), number of units (20 bits), next unit (20 bits).
constexpr uint64_t kFieldBits = 20;
constexpr uint64_t kField = (uint64_t{1} << kFieldBits) - 1;
constexpr uint64_t makeTicket(uint64_t generation, uint64_t units) {
  return generation << (2 * kFieldBits) | units << kFieldBits;
}
constexpr uint64_t unitsOf(uint64_t ticket) { return ticket >> kFieldBits & kField; }
constexpr uint64_t nextOf(uint64_t ticket) { return ticket & kField; }
constexpr uint64_t generationOf(uint64_t ticket) { return ticket >> (2 * kFieldBits); }

thread_local bool insidePool = false;

}  // namespace

class ThreadPool::Impl {
 public:
  explicit Impl(int threads) {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    for (std::thread& worker : workers_) worker.join();
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  void parallelFor(int64_t chunks, FunctionRef<void(int64_t, int)> body) {
    if (chunks <= 0) return;
    if (chunks == 1 || workers_.empty() || insidePool || busy_.exchange(true)) {
      for (int64_t chunk = 0; chunk < chunks; ++chunk) body(chunk, 0);
      return;
    }
    const auto units = std::min<int64_t>(chunks, static_cast<int64_t>(kField));
    body_ = &body;
    chunks_ = chunks;
    chunksPerUnit_ = (chunks + units - 1) / units;
    failure_ = nullptr;
    done_.store(0, std::memory_order_relaxed);
    const uint64_t generation =
        (generationOf(ticket_.load(std::memory_order_relaxed)) + 1) & ((uint64_t{1} << 24) - 1);
    ticket_.store(makeTicket(generation, static_cast<uint64_t>(units)));
    if (sleepers_.load() > 0) {
      { const std::lock_guard lock(mutex_); }
      wake_.notify_all();
    }
    insidePool = true;
    runUnits(0);
    insidePool = false;
    waitUntil([&] { return done_.load(std::memory_order_acquire) == units; });
    const std::exception_ptr failure = failure_;
    failure_ = nullptr;
    busy_.store(false);
    if (failure) std::rethrow_exception(failure);
  }

 private:
  void runUnits(int worker) {
    uint64_t ticket = ticket_.load();
    while (nextOf(ticket) < unitsOf(ticket)) {
      if (!ticket_.compare_exchange_weak(ticket, ticket + 1)) continue;
      // The job cannot end before this unit is done, so its fields stay as they are.
      const auto unit = static_cast<int64_t>(nextOf(ticket));
      const int64_t end = std::min(chunks_, (unit + 1) * chunksPerUnit_);
      try {
        for (int64_t chunk = unit * chunksPerUnit_; chunk < end; ++chunk) (*body_)(chunk, worker);
      } catch (...) {
        const std::lock_guard lock(failureMutex_);
        if (!failure_) failure_ = std::current_exception();
      }
      done_.fetch_add(1, std::memory_order_acq_rel);
      ticket = ticket_.load();
    }
  }

  void work(int worker) {
    const ScopedFlushDenormals flush;
    insidePool = true;
    uint64_t seen = 0;
    while (true) {
      const auto hasWork = [&] { return generationOf(ticket_.load()) != seen; };
      const auto parkAt = std::chrono::steady_clock::now() + kSpin;
      while (!hasWork() && !stop_.load(std::memory_order_relaxed)) {
        for (int i = 0; i < 32 && !hasWork(); ++i) pauseBriefly();
        if (std::chrono::steady_clock::now() < parkAt) continue;
        std::unique_lock lock(mutex_);
        sleepers_.fetch_add(1);
        wake_.wait(lock, [&] { return hasWork() || stop_.load(); });
        sleepers_.fetch_sub(1);
      }
      if (stop_.load()) return;
      seen = generationOf(ticket_.load());
      runUnits(worker);
    }
  }

  std::vector<std::thread> workers_;
  std::atomic<uint64_t> ticket_{0};
  std::atomic<int64_t> done_{0};
  std::atomic<bool> busy_{false};
  FunctionRef<void(int64_t, int)>* body_ = nullptr;
  int64_t chunks_ = 0, chunksPerUnit_ = 1;
  std::mutex failureMutex_;
  std::exception_ptr failure_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
};

ThreadPool::ThreadPool(int threads) {
  if (threads < 1 || threads > kMaxThreads) {
    throw Error(ErrorKind::kConfig, "threads: " + std::to_string(threads) +
                                        "; expected an integer from 1 to " +
                                        std::to_string(kMaxThreads));
  }
  impl_ = std::make_unique<Impl>(threads);
}

ThreadPool::~ThreadPool() = default;
int ThreadPool::size() const { return impl_->size(); }
void ThreadPool::parallelFor(int64_t chunks, FunctionRef<void(int64_t, int)> body) {
  impl_->parallelFor(chunks, body);
}

int ThreadPool::defaultThreads() {
  if (const char* text = std::getenv("POLYDOMAIN_THREADS"); text != nullptr && *text != '\0') {
    char* end = nullptr;
    const long threads = std::strtol(text, &end, 10);
    if (*end != '\0' || threads < 1 || threads > kMaxThreads) {
      throw Error(ErrorKind::kConfig, "POLYDOMAIN_THREADS: '" + std::string(text) +
                                          "'; expected an integer from 1 to " +
                                          std::to_string(kMaxThreads));
    }
    return static_cast<int>(threads);
  }
#if defined(__linux__)
  cpu_set_t available;
  if (::sched_getaffinity(0, sizeof(available), &available) == 0) {
    return std::clamp(CPU_COUNT(&available), 1, kMaxThreads);
  }
#endif
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kMaxThreads);
}

#if defined(__x86_64__)
ScopedFlushDenormals::ScopedFlushDenormals() : saved_(_mm_getcsr()) {
  _mm_setcsr(saved_ | 0x8040u);  // flush to zero, denormals are zero
}
ScopedFlushDenormals::~ScopedFlushDenormals() { _mm_setcsr(saved_); }
#else
ScopedFlushDenormals::ScopedFlushDenormals() = default;
ScopedFlushDenormals::~ScopedFlushDenormals() = default;
#endif

}  // namespace polydomain
