#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <memory_resource>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "disk.h"
#include "failure.h"
#include "polydomain/space.h"
#include "saved.h"
#include "space/spill_file.h"

namespace polydomain {
namespace {

constexpr OverlayId kDomains = 6;
constexpr int64_t kRows = 3000, kDim = 16;
constexpr int64_t kInMemory = -1;

// A domain's own values of everything: 190 KB of a table, 64 KB of the dense slab.
std::vector<ParameterSpec> specs() {
  return {{"dense", ParameterKind::kDense, {128, 128}, {InitKind::kNormal, 0.0f, 1.0f}, 0.0f},
          {"table", ParameterKind::kTable, {kRows, kDim}, {InitKind::kUniform, 0.5f, 2.0f}, 0.0f}};
}

std::vector<float> effectiveValues(const ParameterSpace& space, OverlayId domain) {
  const int64_t slab = space.unitCount(0) * kDenseBlock;
  std::vector<float> values(static_cast<size_t>(slab + kRows * kDim));
  space.gatherDense(domain, values.data());
  std::vector<int32_t> rows(kRows);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<int32_t>(i);
  space.gather(1, domain, rows, values.data() + slab, kDim);
  return values;
}

// Writes to the open overlay, or to the shared values.
void write(ParameterSpace& space, std::mt19937& random) {
  if (random() % 2 == 0) {
    space.touchDense(0);
    for (int i = 0; i < 500; ++i) space.data(0)[random() % (128 * 128)] += 0.25f;
    return;
  }
  const auto first = static_cast<uint32_t>(random() % (kRows - 500));
  std::vector<uint32_t> rows(500);
  for (uint32_t i = 0; i < 500; ++i) rows[i] = first + i;
  space.touch(1, rows);
  for (const uint32_t row : rows) space.region(1)[row * kDim + random() % kDim] *= 1.5f;
}

// What `seed` decides, whatever the memory: the state at the end and on the way.
std::vector<std::string> randomLife(ParameterSpace& space, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::string> states;
  std::vector<MarkId> marks;
  for (int step = 0; step < 60; ++step) {
    const uint32_t action = random() % 12;
    if (action < 6) {
      space.openOverlay(static_cast<OverlayId>(random() % kDomains));
      for (uint32_t i = 1 + random() % 2; i > 0; --i) write(space, random);
      space.closeOverlay(random() % 6 != 0);
    } else if (action == 6) {
      write(space, random);
    } else if (action == 7 && marks.size() < 3) {
      marks.push_back(space.mark());
    } else if (action == 8 && marks.empty()) {
      space.dropOverlay(static_cast<OverlayId>(random() % kDomains));
    } else if (action == 11) {
      states.push_back(savedBytes(space));
    } else if (!marks.empty()) {
      const auto chosen = marks.begin() + static_cast<std::ptrdiff_t>(random() % marks.size());
      if (action == 8) {
        space.restore(*chosen);
      } else if (action == 9) {
        space.lerp(*chosen, 0.375f);
      } else {
        space.release(*chosen);
        marks.erase(chosen);
      }
    }
  }
  states.push_back(savedBytes(space));
  return states;
}

class Spilled : public testing::TestWithParam<Combine> {
 protected:
  std::unique_ptr<ParameterSpace> spaceWith(int64_t budget) const {
    auto space = std::make_unique<ParameterSpace>(specs(), 1);
    space->configureOverlays(GetParam(), SpecificStart::kNeutral, space->select({"all"}));
    space->limitOverlays(folder_ / "", budget);
    return space;
  }
  TemporaryFolder folder_;
};

TEST_P(Spilled, ValuesAreTheSameBitsWhateverTheBudget) {
  for (uint32_t seed = 0; seed < 8; ++seed) {
    const auto plain = spaceWith(kInMemory);
    const std::vector<std::string> expected = randomLife(*plain, seed);
    for (const int64_t budget : {0, 200 << 10, 1 << 30}) {
      const auto spilled = spaceWith(budget);
      EXPECT_TRUE(randomLife(*spilled, seed) == expected) << "seed " << seed << ", " << budget;
      EXPECT_GT(spilled->spilledBytes(), 0);
      for (OverlayId domain = 0; domain < kDomains; ++domain) {
        EXPECT_EQ(effectiveValues(*spilled, domain), effectiveValues(*plain, domain));
      }
    }
  }
  EXPECT_EQ(folder_.files(), 0u) << "the file has a name";
}

TEST_P(Spilled, ASavedStateIsLoadedWithAnotherBudget) {
  const auto plain = spaceWith(kInMemory);
  const std::string state = randomLife(*plain, 3).back();
  for (const int64_t budget : {int64_t{100} << 10, kInMemory}) {
    const auto other = spaceWith(budget);
    randomLife(*other, 4);  // what it held before is to be gone
    loadBytes(*other, state);
    EXPECT_TRUE(savedBytes(*other) == state);
  }
}

TEST_P(Spilled, OverlaysThatExistMoveBetweenMemoryAndFile) {
  const auto space = spaceWith(kInMemory);
  const std::string state = [&] {
    std::mt19937 random(1);
    for (OverlayId domain = 0; domain < kDomains; ++domain) {
      space->openOverlay(domain);
      write(*space, random);
      write(*space, random);
      space->closeOverlay();
    }
    return savedBytes(*space);
  }();
  for (const int64_t budget : {int64_t{100} << 10, int64_t{1} << 30, kInMemory}) {
    space->limitOverlays(folder_ / "", budget);
    EXPECT_TRUE(savedBytes(*space) == state) << budget;
    EXPECT_EQ(space->spilledBytes() > 0, budget >= 0);
  }
}

TEST_P(Spilled, AFullDiskIsATypedErrorAndSharedValuesAreIntact) {
  const auto space = spaceWith(0);
  std::mt19937 random(5);
  const std::vector<float> before(space->region(1), space->region(1) + kRows * kDim);
  std::string message;
  std::optional<ErrorKind> kind;
  {
    const FullDisk full(1 << 20);
    for (OverlayId domain = 0; domain < 100 && !kind; ++domain) {
      const MarkId mark = space->mark();
      space->openOverlay(domain);
      write(*space, random);
      write(*space, random);
      kind = kindOfFailure([&] { space->closeOverlay(); }, &message);
      if (space->overlayOpen()) space->closeOverlay(false);
      space->release(mark);
    }
  }
  EXPECT_EQ(kind, ErrorKind::kCheckpoint);
  EXPECT_NE(message.find(folder_ / ""), std::string::npos) << message;
  EXPECT_NE(message.find("2097152 bytes"), std::string::npos) << message;
  EXPECT_EQ(std::vector<float>(space->region(1), space->region(1) + kRows * kDim), before);
  // With room again it goes on.
  space->openOverlay(1);
  write(*space, random);
  space->closeOverlay();
  EXPECT_EQ(effectiveValues(*space, 200).size(), effectiveValues(*space, 1).size());
}

INSTANTIATE_TEST_SUITE_P(Combines, Spilled, testing::Values(Combine::kPlus, Combine::kReplace),
                         [](const auto& test) -> std::string {
                           return test.param == Combine::kPlus ? "Plus" : "Replace";
                         });

TEST(SpillFile, NeedsAFolderThatExists) {
  ParameterSpace space(specs(), 1);
  space.limitOverlays("/nowhere/at/all", 0);
  std::string message;
  space.openOverlay(0);
  space.touchDense(0);
  space.data(0)[0] = 1.0f;
  EXPECT_EQ(kindOfFailure([&] { space.closeOverlay(); }, &message), ErrorKind::kCheckpoint);
  EXPECT_NE(message.find("/nowhere/at/all"), std::string::npos) << message;
  space.closeOverlay(false);
}

// Blocks of all sizes: none overlaps another, and freed ones are used again.
TEST(SpillFile, HandsOutBlocksThatDoNotOverlap) {
  const TemporaryFolder folder;
  const auto file = std::make_shared<SpillFile>(folder / "", 1 << 20);
  std::mt19937 random(1);
  std::array<SpillFile::Part, 3> parts{SpillFile::Part(file), SpillFile::Part(file),
                                       SpillFile::Part(file)};
  std::map<unsigned char*, std::pair<size_t, size_t>> held;  // bytes, part
  const auto fillOf = [](const unsigned char* data) {
    return static_cast<unsigned char>(reinterpret_cast<uintptr_t>(data) >> 6);
  };
  int64_t most = 0;
  for (int step = 0; step < 3000; ++step) {
    if (held.size() < 40 || random() % 2 == 0) {
      const size_t bytes = 1 + random() % (size_t{1} << (6 + random() % 12));
      const size_t part = random() % 3;
      auto* data = static_cast<unsigned char*>(parts[part].allocate(bytes));
      ASSERT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0u);
      std::memset(data, fillOf(data), bytes);
      held[data] = {bytes, part};
    } else {
      auto chosen = held.begin();
      std::advance(chosen, random() % held.size());
      const auto [data, place] = *chosen;
      parts[place.second].use();
      for (size_t i = 0; i < place.first; ++i) ASSERT_EQ(data[i], fillOf(data));
      parts[place.second].deallocate(data, place.first);
      held.erase(chosen);
    }
    EXPECT_LE(file->residentBytes(), 1 << 20);
    if (step == 1500) most = file->bytes();
  }
  EXPECT_LE(file->bytes(), 4 * most);
  for (const auto& [data, place] : held) parts[place.second].deallocate(data, place.first);
}

TEST(SpillFile, IsReadByManyThreads) {
  const TemporaryFolder folder;
  ParameterSpace space(specs(), 1);
  space.limitOverlays(folder / "", 128 << 10);
  std::mt19937 random(2);
  std::vector<std::vector<float>> expected;
  for (OverlayId domain = 0; domain < kDomains; ++domain) {
    space.openOverlay(domain);
    write(space, random);
    write(space, random);
    space.closeOverlay();
  }
  for (OverlayId domain = 0; domain < kDomains; ++domain) {
    expected.push_back(effectiveValues(space, domain));
  }
  std::vector<std::thread> readers;
  std::array<int, 3> wrong{};
  for (size_t reader = 0; reader < wrong.size(); ++reader) {
    readers.emplace_back([&, reader] {
      for (int i = 0; i < 20; ++i) {
        const auto domain = static_cast<OverlayId>((i + 2 * static_cast<int>(reader)) % kDomains);
        wrong[reader] +=
            effectiveValues(space, domain) != expected[static_cast<size_t>(domain)] ? 1 : 0;
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, (std::array<int, 3>{}));
}

}  // namespace
}  // namespace polydomain
