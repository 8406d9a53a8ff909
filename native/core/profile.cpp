#include "polydomain/profile.h"

#include <utility>

namespace polydomain {

namespace {

constexpr int kDetailedSteps = 3;

// Adds to the total of a label, which may not be there yet.
void add(std::vector<Profile::Total>& totals, const Profile::Total& more) {
  for (Profile::Total& total : totals) {
    if (total.label != more.label) continue;
    total.nanoseconds += more.nanoseconds;
    total.calls += more.calls;
    return;
  }
  totals.push_back(more);
}

void absorb(Profile::Span& span, const Profile::Span& next) {
  span.label = span.domain = span.overlay = -1;
  span.commands += next.commands;
  span.end = next.end;
  for (const Profile::Total& total : next.totals) add(span.totals, total);
}

uint64_t nextId() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

}  // namespace

Profile::Profile(size_t mostSpans) : id_(nextId()), mostSpans_(mostSpans) {
  for (const char* text :
       {"order rows", "open pass", "gather batch", "find rows", "catch up rows", "bring rows",
        "wait for the device", "row gradients", "optimizer: table rows",
        "optimizer: dense parameters", "collect gradients", "apply gradients", "close pass", "AUC",
        "train step", "gradient step", "evaluation step"}) {
    label(text);
  }
}

int32_t Profile::label(const std::string& text) {
  const auto [found, added] = numbers_.try_emplace(text, static_cast<int32_t>(labels_.size()));
  if (added) {
    labels_.push_back(text);
    totalOf_.push_back(-1);
  }
  return found->second;
}

void Profile::beginCommand() {
  for (const Total& total : open_.totals) totalOf_[static_cast<size_t>(total.label)] = -1;
  open_ = {};
  open_.begin = last_ = now();
  detailed_ = false;
}

void Profile::endCommand(const std::string& name, int32_t domain, int32_t overlay) {
  open_.label = label(name);
  open_.domain = domain;
  open_.overlay = overlay;
  open_.commands = 1;
  lap(open_.label);
  open_.end = last_;
  append(open_);
}

void Profile::beginStep(Label kind) {
  step_ = kind;
  stepBegin_ = last_;
  detailed_ = steps_[kind] < kDetailedSteps;
}

void Profile::endStep() {
  if (!detailed_) return;
  events_.push_back({step_, stepBegin_, last_});
  ++steps_[step_];
  detailed_ = false;
}

void Profile::lap(int32_t label) {
  const int64_t end = now();
  credit(label, last_, end);
  last_ = end;
}

void Profile::lapOfWork() {
  const int64_t begin = last_, end = now();
  int64_t sum = 0;
  for (const auto& work : work_) sum += work;
  if (sum == 0) return;
  int64_t done = 0;
  for (size_t label = 0; label < work_.size(); ++label) {
    const int64_t work = work_[label].exchange(0);
    if (work == 0) continue;
    const auto at = [&](int64_t part) {
      return begin + static_cast<int64_t>(static_cast<double>(part) / static_cast<double>(sum) *
                                          static_cast<double>(end - begin));
    };
    credit(static_cast<int32_t>(label), at(done), at(done + work));
    done += work;
  }
  last_ = end;
}

void Profile::credit(int32_t label, int64_t begin, int64_t end) {
  int32_t& place = totalOf_[static_cast<size_t>(label)];
  if (place < 0) {
    place = static_cast<int32_t>(open_.totals.size());
    open_.totals.push_back({label, 0, 0});
  }
  Total& total = open_.totals[static_cast<size_t>(place)];
  total.nanoseconds += end - begin;
  ++total.calls;
  if (detailed_) events_.push_back({label, begin, end});
}

void Profile::append(Span span) {
  const auto brief = [&](const Span& other) { return other.end - other.begin < shortest_; };
  if (!spans_.empty() && brief(spans_.back()) && brief(span)) {
    absorb(spans_.back(), span);
    return;
  }
  spans_.push_back(std::move(span));
  if (spans_.size() > mostSpans_) coarsen();
}

// Every two neighbours of the result are not both brief, so at least half of the room is free.
void Profile::coarsen() {
  const std::vector<Span> all = std::exchange(spans_, {});
  shortest_ = 4 * (all.back().end - all.front().begin) / static_cast<int64_t>(mostSpans_);
  for (const Span& span : all) append(span);
}

}  // namespace polydomain
