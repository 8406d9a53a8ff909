#include "polydomain/session.h"

namespace polydomain {

const char* nameOf(CommandKind kind) {
  switch (kind) {
    case CommandKind::kMark:
      return "mark";
    case CommandKind::kRestore:
      return "restore";
    case CommandKind::kLerp:
      return "lerp";
    case CommandKind::kOuterStep:
      return "outerStep";
    case CommandKind::kRelease:
      return "release";
    case CommandKind::kRun:
      return "run";
    case CommandKind::kConverge:
      return "converge";
    case CommandKind::kEvaluate:
      return "evaluate";
    case CommandKind::kResetOptimizer:
      return "resetOptimizer";
    case CommandKind::kBufferZero:
      return "bufferZero";
    case CommandKind::kBufferAdd:
      return "bufferAdd";
    case CommandKind::kBufferScale:
      return "bufferScale";
    case CommandKind::kBufferProject:
      return "bufferProject";
    case CommandKind::kBufferAddChange:
      return "bufferAddChange";
    case CommandKind::kBufferApply:
      return "bufferApply";
    case CommandKind::kBufferDot:
      return "bufferDot";
    case CommandKind::kDropOverlay:
      return "dropOverlay";
    case CommandKind::kSlots:
      return "slots";
    case CommandKind::kBroadcast:
      return "broadcast";
  }
  return "unknown";
}

}  // namespace polydomain
