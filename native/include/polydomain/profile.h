#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace polydomain {

// Where the time of a session's commands goes. Every moment of a command belongs to one label:
// lap() credits what has passed since the lap before. Memory is bounded: a command keeps one total
// per label, consecutive short commands share a span once there are many, and only the first steps
// of a kind are kept lap by lap. Used by one thread, Stopwatch apart.
class Profile {
 public:
  // Labels that every profile has; ops add theirs.
  enum Label : int32_t {
    kOrderRows,
    kOpenPass,
    kGatherBatch,
    kFindRows,
    kCatchUpRows,
    kBringRows,
    kAwaitDevice,
    kRowGradients,
    kUpdateRows,
    kUpdateDense,
    kCollectGradients,
    kApplyGradients,
    kClosePass,
    kAuc,
    kTrainStep,
    kGradientStep,
    kEvaluationStep
  };

  struct Total {
    int32_t label = 0;
    int64_t nanoseconds = 0;
    int64_t calls = 0;
  };
  // Consecutive commands with what they spent by label, in order of first use. Of a single command
  // `label`, `domain` and `overlay` are known; else they are -1.
  struct Span {
    int32_t label = -1, domain = -1, overlay = -1;
    int64_t commands = 0;
    int64_t begin = 0, end = 0;  // nanoseconds since the profile was made
    std::vector<Total> totals;
  };
  struct Event {
    int32_t label = 0;
    int64_t begin = 0, end = 0;
  };

  explicit Profile(size_t mostSpans = 4096);

  // 1 at least, and no other profile's of this process.
  uint64_t id() const { return id_; }

  // The number of a label by its text.
  int32_t label(const std::string& text);

  void beginCommand();
  // What is left of the command's time is credited to `name` itself.
  void endCommand(const std::string& name, int32_t domain, int32_t overlay);
  // Laps between the two are kept one by one in the first steps of each kind.
  void beginStep(Label kind);
  void endStep();
  void lap(int32_t label);
  // A lap of work that threads shared, divided as their stopwatches measured it.
  void lapOfWork();

  const std::vector<std::string>& labels() const { return labels_; }
  const std::vector<Span>& spans() const { return spans_; }
  const std::vector<Event>& events() const { return events_; }  // a step comes after its laps

  using Clock = std::chrono::steady_clock;

  // Times one thread's pieces of shared work; without a profile it does nothing.
  class Stopwatch {
   public:
    explicit Stopwatch(Profile* profile) : profile_(profile) {
      if (profile_ != nullptr) last_ = Clock::now();
    }
    void lap(Label label) {
      if (profile_ == nullptr) return;
      const Clock::time_point now = Clock::now();
      profile_->work_[label] += nanoseconds(now - last_);
      last_ = now;
    }

   private:
    Profile* profile_;
    Clock::time_point last_;
  };

 private:
  static int64_t nanoseconds(Clock::duration duration) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
  }
  int64_t now() const { return nanoseconds(Clock::now() - start_); }
  void credit(int32_t label, int64_t begin, int64_t end);
  void append(Span span);
  void coarsen();

  const Clock::time_point start_ = Clock::now();
  const uint64_t id_;
  const size_t mostSpans_;
  std::vector<std::string> labels_;
  std::map<std::string, int32_t> numbers_;
  std::vector<Span> spans_;
  int64_t shortest_ = 0;  // spans below it take up the commands that follow
  std::vector<Event> events_;

  Span open_;                     // the command at work
  std::vector<int32_t> totalOf_;  // by label: its place in open_.totals, or -1
  int64_t last_ = 0;              // the lap before
  Label step_ = kTrainStep;
  int64_t stepBegin_ = 0;
  bool detailed_ = false;
  std::array<int, kEvaluationStep + 1> steps_{};  // kept in detail so far, by kind
  std::array<std::atomic<int64_t>, kEvaluationStep + 1> work_{};
};

// The hooks: without a profile each costs one branch.
inline void beginStep(Profile* profile, Profile::Label kind) {
  if (profile != nullptr) profile->beginStep(kind);
}
inline void endStep(Profile* profile) {
  if (profile != nullptr) profile->endStep();
}
inline void lap(Profile* profile, int32_t label) {
  if (profile != nullptr) profile->lap(label);
}

}  // namespace polydomain
