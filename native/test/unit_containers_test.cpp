#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <stdexcept>
#include <vector>

#include "polydomain/thread_pool.h"
#include "space/own_journal.h"
#include "space/turns.h"
#include "space/unit_journal.h"
#include "space/unit_store.h"

namespace polydomain {
namespace {

constexpr int64_t kUnits = 30'000;
constexpr int64_t kSize =
    100;  // 12 MB in all: several blocks, of which a unit fills no power of two

void fill(float* values, uint32_t unit) {
  for (int64_t i = 0; i < kSize; ++i) values[i] = static_cast<float>(unit) + static_cast<float>(i);
}

bool filled(const float* values, uint32_t unit) {
  for (int64_t i = 0; i < kSize; ++i) {
    if (values[i] != static_cast<float>(unit) + static_cast<float>(i)) return false;
  }
  return true;
}

TEST(UnitStore, HoldsWhatAMapHolds) {
  std::mt19937 random(1);
  UnitStore store(kSize);
  std::map<uint32_t, bool> held;
  for (int step = 0; step < 40'000; ++step) {
    const auto unit = static_cast<uint32_t>(random() % kUnits);
    if (random() % 4 == 0) {
      store.erase(unit);
      held.erase(unit);
    } else {
      const auto [entry, isNew] = store.place(unit);
      EXPECT_EQ(isNew, held.emplace(unit, true).second);
      fill(store.values(entry), unit);
    }
  }
  ASSERT_EQ(store.size(), std::ssize(held));
  std::vector<uint32_t> all(kUnits);
  for (uint32_t unit = 0; unit < kUnits; ++unit) all[unit] = unit;
  store.index().findAll(
      kUnits, [&](int64_t i) { return all[static_cast<size_t>(i)]; },
      [&](int64_t i, int64_t entry) {
        const auto unit = static_cast<uint32_t>(i);
        ASSERT_EQ(entry != UnitStore::kNone, held.contains(unit));
        ASSERT_EQ(entry, store.find(unit));
        if (entry != UnitStore::kNone) {
          ASSERT_TRUE(filled(store.values(entry), unit));
        }
      });
  const UnitStore copy(store, pageMemory());
  for (int64_t entry = 0; entry < copy.size(); ++entry) {
    ASSERT_TRUE(filled(copy.values(entry), copy.unit(entry)));
  }
}

TEST(UnitJournal, AddsWhatItDoesNotHoldInOrder) {
  std::mt19937 random(2);
  UnitJournal journal(kUnits, kSize);
  // The second round after a few units, the third after all of them.
  for (const int64_t most : {3, 500, 3}) {
    std::vector<uint32_t> expected;
    std::vector<bool> held(kUnits, false);
    const auto expect = [&](uint32_t unit) {
      if (!held[unit]) expected.push_back(unit);
      held[unit] = true;
    };
    for (int64_t step = 0; step < most; ++step) {
      const auto first = static_cast<uint32_t>(random() % kUnits);
      const int64_t count = 1 + random() % std::min<int64_t>(300, kUnits - first);
      if (step % 2 == 0) {
        journal.addRange(first, count);
        for (int64_t i = 0; i < count; ++i) expect(first + static_cast<uint32_t>(i));
      } else {
        const std::vector<uint32_t> units = {first, static_cast<uint32_t>(random() % kUnits)};
        journal.add(units);
        for (const uint32_t unit : units) expect(unit);
      }
      for (int64_t e = 0; e < journal.size(); e += 97) fill(journal.values(e), journal.unit(e));
    }
    ASSERT_EQ(journal.size(), std::ssize(expected));
    for (int64_t e = 0; e < journal.size(); ++e) {
      ASSERT_EQ(journal.unit(e), expected[static_cast<size_t>(e)]);
      if (e % 97 == 0) {
        ASSERT_TRUE(filled(journal.values(e), journal.unit(e)));
      }
    }
    for (uint32_t unit = 0; unit < kUnits; ++unit) ASSERT_EQ(journal.holds(unit), held[unit]);
    journal.clear();
    ASSERT_TRUE(journal.empty());
    for (uint32_t unit = 0; unit < kUnits; ++unit) ASSERT_FALSE(journal.holds(unit));
  }
}

TEST(OwnJournal, AbsentUnitsHaveNoValues) {
  OwnJournal journal(kUnits, kSize, pageMemory());
  for (uint32_t unit = 0; unit < kUnits; ++unit) {
    const int64_t entry = journal.add(unit, unit % 3 == 0, 2 * unit);
    if (unit % 3 != 0) fill(journal.values(entry), unit);
  }
  for (int64_t entry = 0; entry < kUnits; ++entry) {
    const uint32_t unit = journal.unit(entry);
    ASSERT_EQ(journal.values(entry) == nullptr, unit % 3 == 0);
    if (unit % 3 != 0) {
      ASSERT_TRUE(filled(journal.values(entry), unit));
    }
  }
  EXPECT_TRUE(journal.holds(kUnits - 1));
  EXPECT_FALSE(journal.holds(kUnits));
}

TEST(OwnJournal, HoldsAUnitOnce) {
  std::mt19937 random(3);
  OwnJournal journal(kUnits, 1, pageMemory());
  std::vector<uint32_t> expected;
  std::vector<bool> held(kUnits, false);
  for (int step = 0; step < 5000; ++step) {
    const auto unit = static_cast<uint32_t>(random() % kUnits);
    if (step % 500 == 0) journal.reserve(100, 50);
    const int64_t entry = journal.add(unit, step % 2 == 0, step);
    EXPECT_EQ(entry, held[unit] ? OwnJournal::kNone : std::ssize(expected));
    if (held[unit]) continue;
    held[unit] = true;
    expected.push_back(unit);
    EXPECT_EQ(journal.place(entry), step);
  }
  ASSERT_EQ(journal.size(), std::ssize(expected));
  for (int64_t entry = 0; entry < journal.size(); ++entry) {
    ASSERT_EQ(journal.unit(entry), expected[static_cast<size_t>(entry)]);
  }
  for (uint32_t unit = 0; unit < kUnits; ++unit) ASSERT_EQ(journal.holds(unit), held[unit]);
}

TEST(UnitStore, FindsAUnitWhateverTheGuess) {
  UnitStore store(1);
  for (const uint32_t unit : {7u, 3u, 9u}) store.insert(unit);
  for (const int64_t guess : {-1, 0, 1, 2, 3}) {
    EXPECT_EQ(store.find(3, guess), 1);
    EXPECT_EQ(store.find(4, guess), UnitStore::kNone);
  }
}

TEST(Turns, ComeInOrderAndPassOnFromPiecesThatFail) {
  ThreadPool pool(3);
  for (int round = 0; round < 50; ++round) {
    Turns turns;
    std::vector<int64_t> order;
    const auto work = [&] {
      pool.parallelFor(40, [&](int64_t piece, int) {
        Turns::Turn turn(turns, piece);
        if (piece % 7 == 3) throw std::runtime_error("before its turn");
        turn.take([&] {
          if (piece % 7 == 5) throw std::runtime_error("in its turn");
          order.push_back(piece);
        });
      });
    };
    EXPECT_THROW(work(), std::runtime_error);
    std::vector<int64_t> expected;
    for (int64_t piece = 0; piece < 40; ++piece) {
      if (piece % 7 != 3 && piece % 7 != 5) expected.push_back(piece);
    }
    EXPECT_EQ(order, expected);
  }
}

}  // namespace
}  // namespace polydomain
