#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "failure.h"
#include "polydomain/error.h"
#include "polydomain/space.h"
#include "saved.h"

namespace polydomain {
namespace {

std::vector<ParameterSpec> specs() {
  return {{"dense.weight", ParameterKind::kDense, {30, 10}, {InitKind::kNormal, 0.0f, 1.0f}, 0.0f},
          {"table", ParameterKind::kTable, {40, 4}, {InitKind::kUniform, 0.5f, 2.0f}, 0.0f},
          {"bias", ParameterKind::kDense, {7}, {InitKind::kConstant, 1.0f, 0.0f}, 0.0f}};
}

using Bytes = std::vector<float>;

Bytes sharedValues(ParameterSpace& space) {
  Bytes all;
  for (int region = 0; region < space.regionCount(); ++region) {
    const float* values = space.region(region);
    all.insert(all.end(), values, values + space.unitCount(region) * space.unitSize(region));
  }
  return all;
}

Bytes effectiveValues(const ParameterSpace& space, OverlayId domain) {
  Bytes all(static_cast<size_t>(space.unitCount(0) * kDenseBlock));
  space.gatherDense(domain, all.data());
  std::vector<int32_t> rows(40);
  for (int32_t i = 0; i < 40; ++i) rows[static_cast<size_t>(i)] = i;
  Bytes table(160);
  space.gather(1, domain, rows, table.data(), 4);
  all.insert(all.end(), table.begin(), table.end());
  return all;
}

// Everything that marks have to bring back.
struct Snapshot {
  Bytes shared;
  std::vector<Bytes> effective;
  bool operator==(const Snapshot&) const = default;
};

Snapshot snapshotOf(ParameterSpace& space) {
  Snapshot snapshot{sharedValues(space), {}};
  for (OverlayId domain = 0; domain < 3; ++domain) {
    snapshot.effective.push_back(effectiveValues(space, domain));
  }
  return snapshot;
}

class Marks : public testing::TestWithParam<Combine> {};

// Random writes, overlays and marks beside snapshots of everything.
TEST_P(Marks, RestoreWhatTheySawWhateverHappenedSince) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    ParameterSpace space(specs(), 1);
    space.configureOverlays(GetParam(), SpecificStart::kNeutral, space.select({"all"}));
    if (seed % 2 == 1) space.useThreads(std::make_shared<ThreadPool>(3));
    std::mt19937 random(seed);
    const auto below = [&](uint32_t bound) { return static_cast<uint32_t>(random() % bound); };
    const auto writeSomething = [&] {
      if (below(3) == 0) {
        const int parameter = below(2) == 0 ? 0 : 2;
        space.touchDense(parameter);
        space.data(parameter)[below(7)] += 0.25f;
        return;
      }
      const std::vector<uint32_t> rows = {below(20), 20 + below(20)};
      space.touch(1, rows);
      for (const uint32_t row : rows) space.region(1)[row * 4 + below(4)] += 0.5f;
    };
    std::map<MarkId, Snapshot> marks;
    for (int step = 0; step < 80; ++step) {
      const uint32_t action = below(10);
      if (action < 4) {
        writeSomething();
      } else if (action < 7) {
        space.openOverlay(static_cast<OverlayId>(below(3)));
        const Bytes base = sharedValues(space);
        for (uint32_t i = below(4); i > 0; --i) writeSomething();
        space.closeOverlay(below(5) != 0);
        ASSERT_EQ(sharedValues(space), base) << "an overlay changed the shared values";
      } else if (action == 7 && marks.size() < 4) {
        const MarkId mark = space.mark();
        marks.emplace(mark, snapshotOf(space));
      } else if (!marks.empty()) {
        auto chosen = marks.begin();
        std::advance(chosen, below(static_cast<uint32_t>(marks.size())));
        if (action == 8) {
          space.restore(chosen->first);
          ASSERT_EQ(snapshotOf(space), chosen->second) << "seed " << seed << ", step " << step;
        } else {
          space.release(chosen->first);
          marks.erase(chosen);
        }
      }
    }
    // Newest first: a restored mark must not disturb the older ones.
    for (auto mark = marks.rbegin(); mark != marks.rend(); ++mark) {
      space.restore(mark->first);
      ASSERT_EQ(snapshotOf(space), mark->second) << "seed " << seed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Combines, Marks,
                         testing::Values(Combine::kPlus, Combine::kTimes, Combine::kReplace),
                         [](const auto& test) -> std::string {
                           switch (test.param) {
                             case Combine::kPlus:
                               return "Plus";
                             case Combine::kTimes:
                               return "Times";
                             case Combine::kReplace:
                               break;
                           }
                           return "Replace";
                         });

// Overlays, marks and lerps of more rows and blocks than one thread takes at once.
std::string stateAfterMuch(Combine combine, SpecificStart start, int threads) {
  constexpr uint32_t kRows = 9000, kDim = 8;
  ParameterSpace space(
      {{"dense", ParameterKind::kDense, {300, 128}, {InitKind::kNormal, 0.0f, 1.0f}, 0.0f},
       {"table", ParameterKind::kTable, {kRows, kDim}, {InitKind::kUniform, 0.5f, 2.0f}, 0.0f}},
      1);
  space.configureOverlays(combine, start, space.select({"all"}));
  if (threads > 0) space.useThreads(std::make_shared<ThreadPool>(threads));
  const ScopedFlushDenormals flush;  // as the threads do
  std::mt19937 random(7);
  const auto write = [&] {
    space.touchDense(0);
    for (int i = 0; i < 2000; ++i) space.data(0)[random() % (300 * 128)] += 0.25f;
    std::vector<uint32_t> rows;
    for (uint32_t row = random() % 2; row < kRows; row += 2) rows.push_back(row);
    space.touch(1, rows);
    for (const uint32_t row : rows) space.region(1)[row * kDim + random() % kDim] *= 1.5f;
  };
  const MarkId first = space.mark();
  for (int round = 0; round < 6; ++round) {
    if (round % 3 == 0) write();
    const MarkId mark = space.mark();
    space.openOverlay(round % 2);
    write();
    write();
    space.closeOverlay(round != 4);
    if (round == 3) {
      space.restore(mark);
    } else {
      space.lerp(mark, 0.375f);
    }
    space.release(mark);
  }
  space.lerp(first, 0.5f);
  std::string state = savedBytes(space);
  space.restore(first);
  return state + savedBytes(space);
}

TEST(Space, ThreadsDoNotChangeBits) {
  for (const Combine combine : {Combine::kPlus, Combine::kTimes, Combine::kReplace}) {
    for (const SpecificStart start : {SpecificStart::kNeutral, SpecificStart::kRandom}) {
      const std::string expected = stateAfterMuch(combine, start, 0);
      for (const int threads : {1, 2, 5}) {
        EXPECT_TRUE(stateAfterMuch(combine, start, threads) == expected) << threads << " threads";
      }
    }
  }
}

TEST(Space, LerpMovesWhatChangedByTheRate) {
  ParameterSpace space(specs(), 1);
  const Bytes before = sharedValues(space);
  const MarkId mark = space.mark();
  const std::vector<uint32_t> rows = {3};
  space.touch(1, rows);
  space.region(1)[3 * 4] += 10.0f;
  space.lerp(mark, 0.1f);
  EXPECT_FLOAT_EQ(space.region(1)[3 * 4],
                  before[static_cast<size_t>(space.unitCount(0) * kDenseBlock + 12)] + 1.0f);
  EXPECT_EQ(space.savedUnits(mark), 1);
  space.release(mark);
}

TEST(Space, ALerpInDomainRegularizationMovesTheOverlayOnly) {
  ParameterSpace space(specs(), 1);
  const Bytes before = sharedValues(space);
  const MarkId mark = space.mark();
  space.openOverlay(2);
  space.touchDense(2);
  space.data(2)[0] += 2.0f;
  space.closeOverlay();
  space.lerp(mark, 0.5f);
  EXPECT_EQ(sharedValues(space), before);
  int visited = 0;
  space.visitOverlay(2, 2, [&](uint32_t unit, std::span<const float> values) {
    EXPECT_EQ(unit, 0u);
    EXPECT_FLOAT_EQ(values[0], 1.0f);
    EXPECT_EQ(values[1], 0.0f);
    ++visited;
  });
  EXPECT_EQ(visited, 1);
  space.release(mark);
}

TEST(Space, WhatIsNotTrainableIsOnlyEverRestored) {
  std::vector<ParameterSpec> frozen = specs();
  frozen[2].trainable = false;
  ParameterSpace space(frozen, 1);
  space.configureOverlays(Combine::kPlus, SpecificStart::kNeutral, space.select({"all"}));
  const MarkId mark = space.mark();
  const auto write = [&](float value) {
    for (const int parameter : {0, 2}) {
      space.touchDense(parameter);
      space.data(parameter)[0] = value;
    }
  };
  const float start = space.data(0)[0];
  write(5.0f);
  space.lerp(mark, 0.5f);
  EXPECT_FLOAT_EQ(space.data(0)[0], start + 0.5f * (5.0f - start));
  EXPECT_EQ(space.data(2)[0], 5.0f);
  int visited = 0;
  space.visitSharedChanges(mark, nullptr, [&](const Change& change) {
    EXPECT_EQ(change.parameter, 0);
    ++visited;
  });
  EXPECT_EQ(visited, space.unitCountOf(0));
  space.openOverlay(0);
  write(7.0f);
  space.closeOverlay();
  EXPECT_EQ(space.data(2)[0], 5.0f);
  space.visitOverlay(0, 2, [&](uint32_t, std::span<const float> values) {
    EXPECT_EQ(values[0], 7.0f);
    ++visited;
  });
  EXPECT_EQ(visited, space.unitCountOf(0) + 1);
  space.restore(mark);
  EXPECT_EQ(space.data(0)[0], start);
  EXPECT_EQ(space.data(2)[0], 1.0f);
}

TEST(Space, SavedAndLoadedItGoesOnTheSame) {
  ParameterSpace space(specs(), 1), other(specs(), 2);
  const MarkId mark = space.mark();
  const Snapshot start = snapshotOf(space);
  space.openOverlay(1);
  const std::vector<uint32_t> rows = {5, 6};
  space.touch(1, rows);
  space.region(1)[5 * 4] += 1.0f;
  space.closeOverlay();
  space.touchDense(0);
  space.data(0)[3] = 9.0f;
  loadBytes(other, savedBytes(space));
  EXPECT_EQ(snapshotOf(other), snapshotOf(space));
  other.restore(mark);
  EXPECT_EQ(snapshotOf(other), start);
}

TEST(Space, StartsFromTheSameBitsWithAnyThreads) {
  const Shape shape = {100'003, 7};  // several threads' work, and no multiple of it
  const auto table = [&](const char* name, InitKind kind, float a, float b) {
    return ParameterSpec{name, ParameterKind::kTable, shape, {kind, a, b}, 0.0f};
  };
  const std::vector<ParameterSpec> tables = {table("normal", InitKind::kNormal, 0.5f, 2.0f),
                                             table("uniform", InitKind::kUniform, -1.0f, 1.0f),
                                             table("constant", InitKind::kConstant, 3.0f, 0.0f)};
  const auto count = static_cast<size_t>(elementCount(shape));
  std::vector<float> normal(count), uniform(count);
  fillNormal({9, streamOf("normal"), 0}, 0, elementCount(shape), 0.5f, 2.0f, normal.data());
  fillUniform({9, streamOf("uniform"), 0}, 0, elementCount(shape), -1.0f, 1.0f, uniform.data());
  for (const int threads : {1, 3}) {
    ParameterSpace space(tables, 9, ParameterSpace::StartLater{});
    ThreadPool pool(threads);
    space.start(pool);
    EXPECT_TRUE(std::equal(normal.begin(), normal.end(), space.data(0)));
    EXPECT_TRUE(std::equal(uniform.begin(), uniform.end(), space.data(1)));
    EXPECT_EQ(std::count(space.data(2), space.data(2) + count, 3.0f),
              static_cast<std::ptrdiff_t>(count));
  }
}

TEST(Space, MovesRowsWithTheirStateAndOwnValues) {
  const auto tableOf = [](int64_t rows) {
    return std::vector<ParameterSpec>{
        {"table", ParameterKind::kTable, {rows, 3}, {InitKind::kNormal, 0.0f, 1.0f}, 0.0f},
        {"other", ParameterKind::kTable, {2, 3}, {InitKind::kZeros, 0.0f, 0.0f}, 0.0f}};
  };
  ThreadPool pool(2);
  // From a small table to one of mapped pages, and back.
  for (const int64_t large : {int64_t{9}, int64_t{200'000}}) {
    ParameterSpace space(tableOf(5), 4);
    const ParameterSpace fresh(tableOf(large), 4);
    OptimizerSpec spec;
    spec.kind = OptimizerKind::kSgd;
    spec.momentum = 0.5f;
    OptimizerState optimizer(space, spec);
    // A step on every row: momentum is the gradient, here the row's number.
    const UpdateScalars scalars = optimizer.beginStep(0);
    for (int64_t row = 0; row < 5; ++row) {
      const std::vector<float> gradient(3, static_cast<float>(row));
      optimizer.update(scalars, 1, row, 3, space.data(0) + 3 * row, gradient.data());
    }
    space.configureOverlays(Combine::kPlus, SpecificStart::kNeutral, space.select({"all"}));
    for (const uint32_t row : {1u, 2u, 4u}) {
      const std::vector<float> own(3, static_cast<float>(10 * row));
      space.setOverlayUnit(7, 0, row, own);
    }
    space.setOverlayUnit(8, 0, 2, std::vector<float>(3, 1.0f));
    const std::vector<float> before(space.data(0), space.data(0) + 15);

    // Row 2 goes, row 4 takes its place, others stay or are new.
    std::vector<int32_t> from(static_cast<size_t>(large), -1);
    from[0] = 0;
    from[1] = 1;
    from[2] = 4;
    from[4] = 3;
    space.moveRows(0, from, pool);
    optimizer.moveRows(0, from);
    EXPECT_EQ(space.unitCount(1), large);
    EXPECT_EQ(space.parameter(0).shape, (Shape{large, 3}));
    std::vector<float> start(static_cast<size_t>(large * 3));
    fillNormal({4, streamOf("table"), 0}, 0, large * 3, 0.0f, 1.0f, start.data());
    for (int64_t row = 0; row < large; ++row) {
      const int32_t source = from[static_cast<size_t>(row)];
      const float* expected = source < 0 ? start.data() + 3 * row : before.data() + 3 * source;
      ASSERT_TRUE(std::equal(expected, expected + 3, space.data(0) + 3 * row)) << row;
    }
    // What momentum adds to a step without gradient.
    const UpdateScalars next = optimizer.beginStep(0);
    const std::vector<float> none(3, 0.0f);
    for (const int64_t row : {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{4}, large - 1}) {
      float* values = space.data(0) + 3 * row;
      const float value = values[0];
      optimizer.update(next, 1, row, 3, values, none.data());
      const int32_t source = from[static_cast<size_t>(row)];
      const float momentum = source < 0 ? 0.0f : 0.5f * static_cast<float>(source);
      EXPECT_FLOAT_EQ(values[0], value - next.learningRate * momentum) << row;
    }
    std::vector<std::pair<uint32_t, float>> own;
    space.visitOverlay(7, 0, [&](uint32_t unit, std::span<const float> values) {
      own.emplace_back(unit, values[0]);
    });
    EXPECT_EQ(own, (std::vector<std::pair<uint32_t, float>>{{1, 10.0f}, {2, 40.0f}}));
    EXPECT_FALSE(space.hasOverlay(8));

    // Back to three rows, and forth: what is new does not remember what was there.
    const std::vector<float> kept(space.data(0), space.data(0) + 9);
    space.moveRows(0, std::vector<int32_t>{0, 1, 2}, pool);
    EXPECT_TRUE(std::equal(kept.begin(), kept.end(), space.data(0)));
    from.assign(static_cast<size_t>(large), -1);
    space.moveRows(0, from, pool);
    EXPECT_TRUE(std::equal(start.begin(), start.end(), space.data(0)));
  }
}

TEST(Space, RefusesRowsThatCannotBeMoved) {
  ParameterSpace space(specs(), 1);
  ThreadPool pool(1);
  const int table = space.find("table");
  const auto rows = static_cast<size_t>(space.unitCountOf(table));
  const auto refuses = [&](int parameter, const std::vector<int32_t>& from) {
    EXPECT_EQ(kindOfFailure([&] { space.moveRows(parameter, from, pool); }), ErrorKind::kConfig);
  };
  refuses(table, {});
  refuses(table, {static_cast<int32_t>(rows)});
  refuses(table, {-2});
  refuses(table, {0, 0});
  const MarkId mark = space.mark();
  refuses(table, {0});
  space.release(mark);
  for (int parameter = 0; parameter < space.parameterCount(); ++parameter) {
    if (space.parameter(parameter).kind == ParameterKind::kDense) refuses(parameter, {0});
  }
  EXPECT_EQ(static_cast<size_t>(space.unitCountOf(table)), rows);
}

TEST(Space, SelectsByPatternsFromTheFirstToTheLast) {
  const ParameterSpace space(specs(), 1);
  EXPECT_EQ(space.select({"all"}), (Selection{true, true, true}));
  EXPECT_EQ(space.select({"dense.*"}), (Selection{true, false, false}));
  EXPECT_EQ(space.select({"!table"}), (Selection{true, false, true}));
  EXPECT_EQ(space.select({"all", "!*a*"}), (Selection{true, false, false}));
  EXPECT_EQ(space.select({"!*s", "bias"}), (Selection{true, true, true}));
  EXPECT_EQ(space.select({"!all", "table"}), (Selection{false, true, false}));
  EXPECT_THROW(space.select({"!embedding.*"}), Error);
}

TEST(Space, ErrorsSayWhatWouldBeRight) {
  ParameterSpace space(specs(), 1);
  EXPECT_THROW(space.find("tabel"), Error);
  EXPECT_THROW(space.select({"embedding.*"}), Error);
  EXPECT_THROW(space.restore(99), Error);
  space.openOverlay(0);
  EXPECT_THROW(space.mark(), Error);
  space.closeOverlay(false);
}

}  // namespace
}  // namespace polydomain
