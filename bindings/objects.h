#pragma once

#include <napi.h>

#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>

#include "convert.h"
#include "polydomain/program.h"
#include "polydomain/session.h"

namespace polydomain {

// A space and who uses it: one session that trains, or any number of readers.
struct SharedSpace {
  // Large tables start off the event loop.
  SharedSpace(std::vector<ParameterSpec> parameters, uint64_t seed,
              std::shared_ptr<ThreadPool> pool);
  ParameterSpace space;
  std::mutex mutex;
  int readers = 0;
  bool training = false;
  // Another one after anything native may have written: that takes a training.
  uint64_t version = 0;
  // JavaScript has views, through which it may write at any time from then on.
  std::atomic<bool> lent = false;

  void beginReading();  // Error(kBusy) while a session trains
  void endReading();
  void beginTraining();  // Error(kBusy) while others use the space
  void endTraining();
  // To be called before values are read or written.
  void awaitStart() const;

  // Uses the space from its construction to its end.
  template <void (SharedSpace::*begin)(), void (SharedSpace::*end)()>
  class Use {
   public:
    explicit Use(SharedSpace& shared) : shared_(shared) { (shared_.*begin)(); }
    ~Use() { (shared_.*end)(); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    SharedSpace& shared_;
  };
  // With others.
  using Reading = Use<&SharedSpace::beginReading, &SharedSpace::endReading>;
  // As the only one, from the event loop: whatever changes it.
  using Training = Use<&SharedSpace::beginTraining, &SharedSpace::endTraining>;

 private:
  std::shared_future<void> start_;  // last: its destructor waits for what uses the others
};

// An optimizer's state, for later sessions over its space.
struct KeptOptimizer {
  std::shared_ptr<SharedSpace> space;
  std::shared_ptr<OptimizerState> state;
};
// Throws Error(kConfig) when it belongs to another space.
std::shared_ptr<OptimizerState> toOptimizerState(const Napi::Value& kept, const SharedSpace& space);

// configureOverlays(combine, start, specific) of spaces and sessions.
void configureSpace(ParameterSpace& space, const Napi::CallbackInfo& info);
// limitOverlays(folder, budget) of the same.
void limitSpace(ParameterSpace& space, const Napi::CallbackInfo& info);

class GraphObject : public Napi::ObjectWrap<GraphObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit GraphObject(const Napi::CallbackInfo& info);
  const Graph& graph() const { return graph_; }

 private:
  Napi::Value input(const Napi::CallbackInfo& info);
  Napi::Value parameter(const Napi::CallbackInfo& info);
  Napi::Value add(const Napi::CallbackInfo& info);
  Napi::Value node(const Napi::CallbackInfo& info);
  Napi::Value size(const Napi::CallbackInfo& info);
  Napi::Value backward(const Napi::CallbackInfo& info);
  ValueId valueAt(const Napi::Value& value) const;

  Graph graph_;
};

class SpaceObject : public Napi::ObjectWrap<SpaceObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit SpaceObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env env) override;
  std::shared_ptr<SharedSpace> shared() const;

 private:
  Napi::Value data(const Napi::CallbackInfo& info);
  Napi::Value lent(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  Napi::Value withdraw(const Napi::CallbackInfo& info);
  Napi::Value configureOverlays(const Napi::CallbackInfo& info);
  Napi::Value limitOverlays(const Napi::CallbackInfo& info);
  Napi::Value unitSize(const Napi::CallbackInfo& info);
  Napi::Value overlayUnits(const Napi::CallbackInfo& info);
  Napi::Value overlay(const Napi::CallbackInfo& info);
  Napi::Value setOverlay(const Napi::CallbackInfo& info);
  Napi::Value dropOverlays(const Napi::CallbackInfo& info);
  Napi::Value moveRows(const Napi::CallbackInfo& info);
  Napi::Value started(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  Napi::Value viewOf(Napi::Env env, int parameter);
  void report(Napi::Env env, int64_t bytes);
  void detachBuffers();

  std::shared_ptr<SharedSpace> shared_;
  int64_t reported_ = 0;  // bytes that the garbage collector knows of
  // V8 wants one buffer per piece of memory.
  std::map<int, Napi::Reference<Napi::ArrayBuffer>> buffers_;
};

class ProgramObject : public Napi::ObjectWrap<ProgramObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ProgramObject(const Napi::CallbackInfo& info);

 private:
  friend class RowObject;
  struct State;
  Napi::Value inputNames(const Napi::CallbackInfo& info);
  Napi::Value describe(const Napi::CallbackInfo& info);
  Napi::Value predict(const Napi::CallbackInfo& info);
  Napi::Value predictAsync(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  std::shared_ptr<State> state() const;

  std::shared_ptr<State> state_;
};

// Columns of one row, which are written and scored again and again.
class RowObject : public Napi::ObjectWrap<RowObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit RowObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value score(const Napi::CallbackInfo& info);

  std::weak_ptr<ProgramObject::State> state_;
  std::vector<Napi::ObjectReference> columns_;  // keep their memory
  Program::Run run_;
};

class SessionObject : public Napi::ObjectWrap<SessionObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit SessionObject(const Napi::CallbackInfo& info);
  ~SessionObject() override;

 private:
  std::function<void()> beginWork();
  void endLease();
  Napi::Value configureOverlays(const Napi::CallbackInfo& info);
  Napi::Value limitOverlays(const Napi::CallbackInfo& info);
  Napi::Value addSplit(const Napi::CallbackInfo& info);
  Napi::Value addOptimizer(const Napi::CallbackInfo& info);
  Napi::Value optimizer(const Napi::CallbackInfo& info);
  Napi::Value addSelection(const Napi::CallbackInfo& info);
  Napi::Value addTrainingProgram(const Napi::CallbackInfo& info);
  Napi::Value addGradientProgram(const Napi::CallbackInfo& info);
  Napi::Value setEvaluationProgram(const Napi::CallbackInfo& info);
  Napi::Value startProfile(const Napi::CallbackInfo& info);
  Napi::Value profile(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value scores(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  // save(path) and load(path), off the event loop.
  Napi::Value withFile(const Napi::CallbackInfo& info,
                       void (*use)(Session& session, const std::string& path));
  Napi::Value save(const Napi::CallbackInfo& info);
  Napi::Value load(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  std::shared_ptr<Session> session() const;

  std::shared_ptr<SharedSpace> space_;
  std::shared_ptr<Session> session_;
  bool leased_ = false;
  std::vector<Napi::ObjectReference> arrays_;  // memory of the splits
};

}  // namespace polydomain
