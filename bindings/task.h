#pragma once

#include <napi.h>

#include <functional>
#include <memory>

#include "convert.h"

namespace polydomain {

// Work off the event loop that settles a promise. `work` runs on another thread; `after` runs on
// the event loop, whatever happened; `result` makes the value.
template <typename Output>
class Task : public Napi::AsyncWorker {
 public:
  static Napi::Value start(Napi::Env env, Napi::Object owner, std::function<Output()> work,
                           std::function<Napi::Value(Napi::Env, Output&)> result,
                           std::function<void()> after) {
    auto task =
        std::unique_ptr<Task>(new Task(env, std::move(work), std::move(result), std::move(after)));
    task->owner_ = Napi::Persistent(owner);
    const Napi::Value promise = task->deferred_.Promise();
    task->Queue();
    task.release();  // the worker deletes itself
    return promise;
  }

  void Execute() override {
    try {
      output_ = work_();
    } catch (const Error& error) {
      kind_ = error.kind();
      typed_ = true;
      SetError(error.what());
    }
  }

  void OnOK() override {
    after_();
    deferred_.Resolve(result_(Env(), output_));
  }

  void OnError(const Napi::Error& error) override {
    after_();
    deferred_.Reject(typed_ ? toJs(Env(), kind_, error.Message()).Value() : error.Value());
  }

 private:
  Task(Napi::Env env, std::function<Output()> work,
       std::function<Napi::Value(Napi::Env, Output&)> result, std::function<void()> after)
      : Napi::AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        result_(std::move(result)),
        after_(std::move(after)) {}

  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference owner_;  // stays alive until the work is done
  std::function<Output()> work_;
  std::function<Napi::Value(Napi::Env, Output&)> result_;
  std::function<void()> after_;
  Output output_{};
  ErrorKind kind_ = ErrorKind::kTraining;
  bool typed_ = false;
};

}  // namespace polydomain
