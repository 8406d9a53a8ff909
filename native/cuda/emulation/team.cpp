// The threads of a block that work together. Under ThreadSanitizer they are threads, so that it
// sees a barrier that is missing; else contexts of one thread that take turns from barrier to
// barrier, which costs a hundredth of waking hundreds of threads at each.

#include "grid.h"

#ifdef __SANITIZE_THREAD__

#include <barrier>
#include <thread>
#include <vector>

namespace polydomain::cuda {

namespace {

thread_local std::barrier<>* together = nullptr;

}  // namespace

void runTogether(int threads, const std::function<void(int)>& body) {
  std::barrier<> all(threads);
  std::vector<std::jthread> team;
  for (int index = 0; index < threads; ++index) {
    team.emplace_back([&, index] {
      together = &all;
      body(index);
    });
  }
}

void awaitOthers() { together->arrive_and_wait(); }

}  // namespace polydomain::cuda

#else

#include <ucontext.h>

#include <cstddef>
#include <vector>

namespace polydomain::cuda {

namespace {

class Team {
 public:
  void run(int threads, const std::function<void(int)>& body) {
    body_ = &body;
    while (std::ssize(members_) < threads) members_.push_back(std::make_unique<Member>());
    for (int index = 0; index < threads; ++index) {
      Member& member = *members_[static_cast<size_t>(index)];
      getcontext(&member.context);
      member.context.uc_stack.ss_sp = member.stack.get();
      member.context.uc_stack.ss_size = kStackBytes;
      member.context.uc_link = &caller_;
      makecontext(&member.context, enter, 0);
      member.ended = false;
    }
    for (bool working = true; working;) {
      working = false;
      for (int index = 0; index < threads; ++index) {
        current_ = index;
        if (!current().ended) swapcontext(&caller_, &current().context);
        working = working || !current().ended;
      }
    }
  }
  void yield() { swapcontext(&current().context, &caller_); }

  static Team& ofThread() {
    thread_local Team team;
    return team;
  }

 private:
  static constexpr size_t kStackBytes = size_t{1} << 18;
  struct Member {
    ucontext_t context;
    std::unique_ptr<std::byte[]> stack{new std::byte[kStackBytes]};
    bool ended = false;
  };

  static void enter() {
    Team& team = ofThread();
    (*team.body_)(team.current_);
    team.current().ended = true;
  }
  Member& current() { return *members_[static_cast<size_t>(current_)]; }

  std::vector<std::unique_ptr<Member>> members_;
  ucontext_t caller_{};
  const std::function<void(int)>* body_ = nullptr;
  int current_ = 0;
};

}  // namespace

void runTogether(int threads, const std::function<void(int)>& body) {
  Team::ofThread().run(threads, body);
}

void awaitOthers() { Team::ofThread().yield(); }

}  // namespace polydomain::cuda

#endif
