#include "polydomain/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "failure.h"

namespace polydomain {
namespace {

class ThreadPools : public testing::TestWithParam<int> {
 protected:
  ThreadPool pool_{GetParam()};
};

// Plain ints, not atomics: two threads at one index, or a result seen too early, is a race that
// ThreadSanitizer reports.
TEST_P(ThreadPools, DoEveryIndexExactlyOnce) {
  for (const int64_t count : {0, 1, 2, 3, 4, 5, 7, 8, 31, 64, 1000, 4097}) {
    std::vector<int> done(static_cast<size_t>(count), 0);
    pool_.parallelFor(count, [&](int64_t i, int) { ++done[static_cast<size_t>(i)]; });
    ASSERT_EQ(done, std::vector<int>(static_cast<size_t>(count), 1)) << count;
  }
}

// More chunks than the pool's ticket can count: it hands out several at once.
TEST_P(ThreadPools, DoMoreThanAMillionChunks) {
  for (const int64_t count : {(1 << 20) - 2, (1 << 20) - 1, 1 << 20, (1 << 21) + 5}) {
    std::vector<uint8_t> done(static_cast<size_t>(count), 0);
    pool_.parallelFor(count, [&](int64_t i, int) { ++done[static_cast<size_t>(i)]; });
    ASSERT_EQ(std::accumulate(done.begin(), done.end(), int64_t{0}), count);
    ASSERT_EQ(done, std::vector<uint8_t>(static_cast<size_t>(count), 1)) << count;
  }
}

// Scratch memory by worker is safe: two chunks of one worker never run at the same time.
TEST_P(ThreadPools, GiveEachThreadAWorkerNumberOfItsOwn) {
  std::vector<int64_t> sums(static_cast<size_t>(pool_.size()), 0);
  pool_.parallelFor(3000,
                    [&](int64_t i, int worker) { sums.at(static_cast<size_t>(worker)) += i; });
  EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), int64_t{0}), 3000 * 2999 / 2);
}

TEST_P(ThreadPools, RunANestedCallOnItsCaller) {
  std::vector<int> done(40 * 30, 0);
  std::atomic<int> strangers = 0;
  pool_.parallelFor(40, [&](int64_t outer, int) {
    const auto self = std::this_thread::get_id();
    pool_.parallelFor(30, [&](int64_t inner, int) {
      if (std::this_thread::get_id() != self) ++strangers;
      ++done[static_cast<size_t>(outer * 30 + inner)];
    });
  });
  EXPECT_EQ(strangers, 0);
  EXPECT_EQ(done, std::vector<int>(done.size(), 1));
}

TEST_P(ThreadPools, ServeSeveralCallersAtOnce) {
  constexpr size_t kCallers = 3;
  std::vector<std::vector<int>> done(kCallers, std::vector<int>(257, 0));
  std::vector<std::thread> callers;
  for (std::vector<int>& own : done) {
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        pool_.parallelFor(257, [&](int64_t i, int) { ++own[static_cast<size_t>(i)]; });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const std::vector<int>& own : done) EXPECT_EQ(own, std::vector<int>(257, 200));
}

TEST_P(ThreadPools, PassAnExceptionToTheCallerAndGoOn) {
  for (int round = 0; round < 50; ++round) {
    const int64_t bad = round * 7 % 100;
    try {
      pool_.parallelFor(100, [&](int64_t i, int) {
        if (i == bad) throw std::runtime_error("chunk " + std::to_string(i));
      });
      FAIL() << "no exception of chunk " << bad;
    } catch (const std::runtime_error& error) {
      EXPECT_EQ(error.what(), "chunk " + std::to_string(bad));
    }
    std::atomic<int> done = 0;
    pool_.parallelFor(100, [&](int64_t, int) { ++done; });
    ASSERT_EQ(done, 100);
  }
}

TEST_P(ThreadPools, PassOneOfManyExceptions) {
  const auto fail = [](int64_t, int) { throw Error(ErrorKind::kData, "every chunk"); };
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(kindOfFailure([&] { pool_.parallelFor(64, fail); }), ErrorKind::kData);
  }
}

// Pauses longer than the workers spin, and shorter ones: each round meets them parked, spinning or
// on the way from one to the other.
TEST_P(ThreadPools, WakeAsOftenAsTheyPark) {
  std::vector<int> done(16, 0);
  constexpr int kRounds = 400;
  for (int round = 0; round < kRounds; ++round) {
    std::this_thread::sleep_for(std::chrono::microseconds(round % 8 * 10));
    pool_.parallelFor(16, [&](int64_t i, int) { ++done[static_cast<size_t>(i)]; });
  }
  EXPECT_EQ(done, std::vector<int>(16, kRounds));
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadPools, testing::Values(1, 2, 3, 4), [](const auto& test) {
  return std::to_string(test.param) + (test.param == 1 ? "Thread" : "Threads");
});

TEST(ThreadPool, EndsWhetherItsWorkersSpinOrPark) {
  for (int round = 0; round < 30; ++round) {
    ThreadPool pool(3);
    if (round % 3 > 0) pool.parallelFor(8, [](int64_t, int) {});
    if (round % 3 > 1) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(ThreadPool, RefusesSizesThatItCannotHave) {
  for (const int threads : {-1, 0, 257}) {
    EXPECT_EQ(kindOfFailure([&] { ThreadPool pool(threads); }), ErrorKind::kConfig) << threads;
  }
}

class ThreadsVariable : public testing::Test {
 protected:
  void TearDown() override {
    if (had_) {
      ::setenv(kName, before_.c_str(), 1);
    } else {
      ::unsetenv(kName);
    }
  }
  static constexpr const char* kName = "POLYDOMAIN_THREADS";
  const bool had_ = std::getenv(kName) != nullptr;
  const std::string before_ = had_ ? std::getenv(kName) : "";
};

TEST_F(ThreadsVariable, ChoosesTheDefaultSize) {
  ::setenv(kName, "3", 1);
  EXPECT_EQ(ThreadPool::defaultThreads(), 3);
  for (const char* wrong : {"0", "-2", "three", "2x", "1000"}) {
    ::setenv(kName, wrong, 1);
    EXPECT_EQ(kindOfFailure(ThreadPool::defaultThreads), ErrorKind::kConfig) << wrong;
  }
  ::unsetenv(kName);
  EXPECT_GE(ThreadPool::defaultThreads(), 1);
}

}  // namespace
}  // namespace polydomain
