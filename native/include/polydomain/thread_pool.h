#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <type_traits>

namespace polydomain {

// A borrowed callable: no allocation, valid only during the call it is passed to.
template <typename Signature>
class FunctionRef;

template <typename Result, typename... Arguments>
class FunctionRef<Result(Arguments...)> {
 public:
  template <typename Callable>
  requires(!std::is_same_v<std::remove_cvref_t<Callable>, FunctionRef>)
      FunctionRef(Callable&& callable)
      : object_(const_cast<void*>(static_cast<const void*>(&callable))),
        invoke_([](void* object, Arguments... arguments) -> Result {
          return (*static_cast<std::remove_reference_t<Callable>*>(object))(arguments...);
        }) {}
  Result operator()(Arguments... arguments) const { return invoke_(object_, arguments...); }

 private:
  void* object_;
  Result (*invoke_)(void*, Arguments...);
};

// The library's own worker threads, shared by all programs of one environment.
//
// Work is cut into chunks by the caller, from shapes alone, so that results do not depend on the
// number of threads; workers claim chunks dynamically. Workers spin for at most ~20 us while a
// program runs, then park. The calling thread works too. A nested call, or a call while another
// thread uses the pool, runs its chunks on its caller.
class ThreadPool {
 public:
  // `threads` counts the caller: 1 means no workers. Throws Error(kConfig) below 1 or above 256.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Number of threads, the caller included.
  int size() const;

  // Calls body(chunk, worker) once for each chunk in [0, chunks), worker in [0, size()). Returns
  // when all are done; rethrows the first exception of a chunk.
  void parallelFor(int64_t chunks, FunctionRef<void(int64_t chunk, int worker)> body);

  // Threads from POLYDOMAIN_THREADS, else the machine's available processors.
  static int defaultThreads();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Denormals are flushed to zero in every thread that computes; restores the old mode at the end.
class ScopedFlushDenormals {
 public:
  ScopedFlushDenormals();
  ~ScopedFlushDenormals();
  ScopedFlushDenormals(const ScopedFlushDenormals&) = delete;
  ScopedFlushDenormals& operator=(const ScopedFlushDenormals&) = delete;

 private:
  unsigned int saved_ = 0;
};

}  // namespace polydomain
