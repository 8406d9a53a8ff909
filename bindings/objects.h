#pragma once

#include <napi.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "convert.h"
#include "polydomain/program.h"
#include "polydomain/session.h"

namespace polydomain {

// A space and who uses it: one session that trains, or any number of readers.
struct SharedSpace {
  SharedSpace(std::vector<ParameterSpec> parameters, uint64_t seed)
      : space(std::move(parameters), seed) {}
  ParameterSpace space;
  std::mutex mutex;
  int readers = 0;
  bool training = false;

  void beginReading();  // Error(kBusy) while a session trains
  void endReading();
  void beginTraining();  // Error(kBusy) while others use the space
  void endTraining();
};

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
  std::shared_ptr<SharedSpace> shared() const;

 private:
  Napi::Value data(const Napi::CallbackInfo& info);
  Napi::Value configureOverlays(const Napi::CallbackInfo& info);
  Napi::Value overlays(const Napi::CallbackInfo& info);
  Napi::Value overlayBytes(const Napi::CallbackInfo& info);
  Napi::Value overlay(const Napi::CallbackInfo& info);
  Napi::Value setOverlay(const Napi::CallbackInfo& info);
  Napi::Value dropOverlay(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);

  std::shared_ptr<SharedSpace> shared_;
  // V8 wants one buffer per piece of memory.
  std::map<int, Napi::Reference<Napi::ArrayBuffer>> buffers_;
};

class ProgramObject : public Napi::ObjectWrap<ProgramObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ProgramObject(const Napi::CallbackInfo& info);

 private:
  struct State;
  Napi::Value inputNames(const Napi::CallbackInfo& info);
  Napi::Value describe(const Napi::CallbackInfo& info);
  Napi::Value predict(const Napi::CallbackInfo& info);
  Napi::Value predictAsync(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  Program::Run request(const Napi::CallbackInfo& info) const;
  std::shared_ptr<State> state() const;

  std::shared_ptr<State> state_;
};

class SessionObject : public Napi::ObjectWrap<SessionObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit SessionObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value addSplit(const Napi::CallbackInfo& info);
  Napi::Value addOptimizer(const Napi::CallbackInfo& info);
  Napi::Value addSelection(const Napi::CallbackInfo& info);
  Napi::Value addTrainingProgram(const Napi::CallbackInfo& info);
  Napi::Value addGradientProgram(const Napi::CallbackInfo& info);
  Napi::Value setEvaluationProgram(const Napi::CallbackInfo& info);
  Napi::Value setLearningRate(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value stepsDone(const Napi::CallbackInfo& info);
  Napi::Value rowsDone(const Napi::CallbackInfo& info);
  Napi::Value scores(const Napi::CallbackInfo& info);
  Napi::Value save(const Napi::CallbackInfo& info);
  Napi::Value load(const Napi::CallbackInfo& info);
  Napi::Value dispose(const Napi::CallbackInfo& info);
  std::shared_ptr<Session> session() const;

  std::shared_ptr<SharedSpace> space_;
  std::shared_ptr<Session> session_;
  std::vector<Napi::ObjectReference> arrays_;  // memory of the splits
};

}  // namespace polydomain
