// The threads of a block that work together are contexts of one thread of the host, which take
// turns from barrier to barrier: waking hundreds of threads at each would cost a hundred times as
// much. ThreadSanitizer takes them for threads whose only order is that of the barriers, so it sees
// one that is missing.

#include <ucontext.h>

#include <array>
#include <cstddef>
#include <vector>

#include "grid.h"

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
// The turns themselves are not what it looks at.
#define POLYDOMAIN_UNCHECKED __attribute__((no_sanitize("thread"), noinline))
#else
#define POLYDOMAIN_UNCHECKED
#endif

namespace polydomain::cuda {

namespace {

#ifdef __SANITIZE_THREAD__

// What ThreadSanitizer keeps of a context.
class Fiber {
 public:
  Fiber() : fiber_(__tsan_create_fiber(0)) {}
  ~Fiber() { __tsan_destroy_fiber(fiber_); }
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  void* get() const { return fiber_; }

 private:
  void* fiber_;
};

void* currentFiber() { return __tsan_get_current_fiber(); }
void enterFiber(void* fiber) { __tsan_switch_to_fiber(fiber, __tsan_switch_to_fiber_no_sync); }
// What was before a release is before what follows an acquire of the same place.
void release(char* place) { __tsan_release(place); }
void acquire(char* place) { __tsan_acquire(place); }

#else

struct Fiber {
  void* get() const { return nullptr; }
};
void* currentFiber() { return nullptr; }
void enterFiber(void*) {}
void release(char*) {}
void acquire(char*) {}

#endif

class Team {
 public:
  POLYDOMAIN_UNCHECKED void run(int threads, const std::function<void(int)>& body) {
    body_ = &body;
    callersFiber_ = currentFiber();
    while (std::ssize(members_) < threads) members_.push_back(std::make_unique<Member>());
    for (int index = 0; index < threads; ++index) {
      Member& member = *members_[static_cast<size_t>(index)];
      getcontext(&member.context);
      member.context.uc_stack.ss_sp = member.stack.get();
      member.context.uc_stack.ss_size = kStackBytes;
      makecontext(&member.context, enter, 0);
      member.ended = false;
      member.barriers = 0;
    }
    release(&began_);
    for (bool working = true; working;) {
      working = false;
      for (current_ = 0; current_ < threads; ++current_) {
        Member& member = *members_[static_cast<size_t>(current_)];
        if (member.ended) continue;
        enterFiber(member.fiber.get());
        swapcontext(&caller_, &member.context);
        working = working || !member.ended;
      }
    }
    acquire(&ended_);
  }

  // Members of one turn have different numbers of barriers behind them, by one: so places
  // alternate.
  POLYDOMAIN_UNCHECKED void awaitOthers() {
    Member& member = current();
    char* place = &barriers_[static_cast<size_t>(member.barriers++ % 2)];
    release(place);
    endTurn(member);
    acquire(place);
  }

  POLYDOMAIN_UNCHECKED static Team& ofThread() {
    thread_local Team team;
    return team;
  }

 private:
  static constexpr size_t kStackBytes = size_t{1} << 16;
  struct Member {
    ucontext_t context;
    std::unique_ptr<std::byte[]> stack{new std::byte[kStackBytes]};
    Fiber fiber;
    bool ended = false;
    int64_t barriers = 0;
  };

  POLYDOMAIN_UNCHECKED static void enter() {
    Team& team = ofThread();
    acquire(&team.began_);
    Member& member = team.current();
    (*team.body_)(team.current_);
    release(&team.ended_);
    member.ended = true;
    team.endTurn(member);
  }
  POLYDOMAIN_UNCHECKED void endTurn(Member& member) {
    enterFiber(callersFiber_);
    swapcontext(&member.context, &caller_);
  }
  POLYDOMAIN_UNCHECKED Member& current() { return *members_[static_cast<size_t>(current_)]; }

  std::vector<std::unique_ptr<Member>> members_;
  ucontext_t caller_{};
  void* callersFiber_ = nullptr;
  const std::function<void(int)>* body_ = nullptr;
  int current_ = 0;
  char began_ = 0, ended_ = 0;
  std::array<char, 2> barriers_{};
};

}  // namespace

void runTogether(int threads, const std::function<void(int)>& body) {
  Team::ofThread().run(threads, body);
}

void awaitOthers() { Team::ofThread().awaitOthers(); }

}  // namespace polydomain::cuda
