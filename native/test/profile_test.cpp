#include "polydomain/profile.h"

#include <gtest/gtest.h>

#include <numeric>

namespace polydomain {
namespace {

// Busy for at least so long.
void spend(int64_t microseconds) {
  const auto end = Profile::Clock::now() + std::chrono::microseconds(microseconds);
  while (Profile::Clock::now() < end) {
  }
}

int64_t credited(const Profile::Span& span) {
  return std::accumulate(
      span.totals.begin(), span.totals.end(), int64_t{0},
      [](int64_t sum, const Profile::Total& total) { return sum + total.nanoseconds; });
}

TEST(Profile, CreditsEveryMomentOfACommand) {
  Profile profile;
  const int32_t op = profile.label("linear, layer0.weight");
  EXPECT_EQ(profile.label("linear, layer0.weight"), op);
  profile.beginCommand();
  profile.lap(op);
  spend(20);
  profile.lap(op);
  profile.endCommand("run", 2, -1);
  ASSERT_EQ(profile.spans().size(), 1u);
  const Profile::Span& span = profile.spans()[0];
  EXPECT_EQ(profile.labels()[static_cast<size_t>(span.label)], "run");
  EXPECT_EQ(span.domain, 2);
  EXPECT_EQ(span.commands, 1);
  ASSERT_EQ(span.totals.size(), 2u);
  EXPECT_EQ(span.totals[0].label, op);
  EXPECT_EQ(span.totals[0].calls, 2);
  EXPECT_GE(span.totals[0].nanoseconds, 20'000);
  EXPECT_EQ(credited(span), span.end - span.begin);
}

TEST(Profile, SharesALapAmongKindsOfWork) {
  Profile profile;
  profile.beginCommand();
  {
    Profile::Stopwatch watch(&profile);
    spend(30);
    watch.lap(Profile::kRowGradients);
    spend(10);
    watch.lap(Profile::kUpdateRows);
  }
  profile.lapOfWork();
  profile.endCommand("run", 0, -1);
  const Profile::Span& span = profile.spans()[0];
  ASSERT_EQ(span.totals.size(), 3u);
  EXPECT_EQ(span.totals[0].label, Profile::kRowGradients);
  EXPECT_EQ(span.totals[1].label, Profile::kUpdateRows);
  EXPECT_GT(span.totals[0].nanoseconds, 0);
  EXPECT_GT(span.totals[1].nanoseconds, 0);
  EXPECT_EQ(credited(span), span.end - span.begin);
}

TEST(Profile, KeepsTheFirstStepsOfEachKindLapByLap) {
  Profile profile;
  profile.beginCommand();
  for (int step = 0; step < 10; ++step) {
    for (const Profile::Label kind : {Profile::kTrainStep, Profile::kEvaluationStep}) {
      profile.beginStep(kind);
      profile.lap(Profile::kGatherBatch);
      profile.endStep();
      profile.lap(Profile::kAuc);  // between steps: not kept
    }
  }
  profile.endCommand("run", 0, -1);
  const auto& events = profile.events();
  ASSERT_EQ(events.size(), 12u);
  for (size_t i = 0; i < events.size(); i += 2) {
    EXPECT_EQ(events[i].label, Profile::kGatherBatch);
    EXPECT_EQ(events[i + 1].label, i / 2 % 2 == 0 ? Profile::kTrainStep : Profile::kEvaluationStep);
    EXPECT_LE(events[i + 1].begin, events[i].begin);
    EXPECT_GE(events[i + 1].end, events[i].end);
  }
}

TEST(Profile, BoundsItsMemoryAndLosesNoTime) {
  constexpr size_t kMost = 64;
  Profile profile(kMost);
  int64_t commands = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 20; ++i, ++commands) {
      profile.beginCommand();
      profile.lap(Profile::kGatherBatch);
      profile.endCommand("mark", -1, -1);
    }
    profile.beginCommand();
    spend(2000);
    profile.endCommand("run", 1, -1);
    ++commands;
    EXPECT_LE(profile.spans().size(), kMost);
  }
  int64_t kept = 0, calls = 0, end = 0;
  for (const Profile::Span& span : profile.spans()) {
    kept += span.commands;
    EXPECT_GE(span.begin, end);
    end = span.end;
    EXPECT_LE(credited(span), span.end - span.begin);
    if (span.commands == 1) {
      EXPECT_EQ(credited(span), span.end - span.begin);
    }
    for (const Profile::Total& total : span.totals) {
      if (total.label == Profile::kGatherBatch) calls += total.calls;
    }
  }
  EXPECT_EQ(kept, commands);
  EXPECT_EQ(calls, 50 * 20);
}

}  // namespace
}  // namespace polydomain
