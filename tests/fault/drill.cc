// SPDX-License-Identifier: Apache-2.0
#include "fault/drill.h"

#include <sys/syscall.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "cni/json.h"
#include "fault/call_faults.h"
#include "fault/tracer.h"

namespace tortie::test {
namespace {

using Kind = Disturbance::Kind;

constexpr std::size_t kMaxFindings = 5;
constexpr int kTries = 3;

// A look at the node costs more than a plugin; that DEL left nothing is looked at each time, that
// the next ADD is whole only now and then.
constexpr std::size_t kPointsPerAddedLook = 8;

std::string describe(const Disturbance &disturbance, const SystemCall &call)
{
    std::string text;
    switch (disturbance.kind) {
    case Kind::kNone:
        return "undisturbed";
    case Kind::kKillAtEntry:
        text = "killed before ";
        break;
    case Kind::kKillAtExit:
        text = "killed after ";
        break;
    case Kind::kFail:
        text = std::string(::strerrorname_np(disturbance.error)) + " from ";
        break;
    case Kind::kRefuse:
        text = std::string(::strerrorname_np(disturbance.error)) + " in the reply to ";
        break;
    }
    text += "call " + std::to_string(disturbance.at.index) + " (" + call.name() + ")";
    if (disturbance.at.process != 0)
        text += " of child " + std::to_string(disturbance.at.process);
    return text;
}

bool is_cni_error(const std::string &text)
{
    const auto object = cni::Json::parse_object(text);
    if (!object)
        return false;
    const auto code = object->integer("code", 0);
    const auto msg = object->string("msg");
    return code && *code > 0 && msg && !msg->empty();
}

Snapshot common(const Snapshot &a, const Snapshot &b)
{
    Snapshot both;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::inserter(both, both.end()));
    return both;
}

// One drill while it runs.
class Course {
public:
    explicit Course(const Drill &drill) : drill_(drill) { establish(); }

    const Drill &drill() const { return drill_; }
    DrillReport &report() { return report_; }
    bool given_up() const { return findings_ >= kMaxFindings; }

    // Before each point.
    void start(std::string about)
    {
        about_ = std::move(about);
        clean_ = true;
        if (!drill_.prepare)
            return;
        if (auto prepared = drill_.prepare(); !prepared)
            find("cannot prepare: " + prepared.error().what());
    }

    void about(std::string text) { about_ = std::move(text); }

    // After each point; a node that a finding has spoilt is made anew, so that the next points
    // are judged by themselves.
    void finish()
    {
        if (clean_)
            return;
        establish();
    }

    void find(const std::string &what)
    {
        clean_ = false;
        if (++findings_ <= kMaxFindings)
            report_.findings += about_ + ": " + what + '\n';
    }

    void expect_success(const char *verb, const PluginCall &call)
    {
        const PluginOutcome outcome = run_plugin(call);
        if (outcome.status != 0)
            find(std::string(verb) + " failed: " + outcome.out + outcome.err);
    }

    void expect_as_before(const char *when) { expect(before_, tolerated_, when); }
    void expect_added(const char *when) { expect(added_, tolerated_, when); }

    // The run with the disturbance, repeated when it took another way than it does usually.
    std::optional<Trace> disturb(const PluginCall &call, const Disturbance &disturbance)
    {
        auto trace = run_traced(call, disturbance);
        if (!trace) {
            find("cannot trace: " + trace.error().what());
            return std::nullopt;
        }
        if (trace->disturbed)
            ++report_.points;
        return *std::move(trace);
    }

private:
    void expect(const Snapshot &wanted, const Snapshot &tolerated, const char *when)
    {
        const std::string text = difference(wanted, drill_.look(), tolerated);
        if (!text.empty())
            find(std::string(when) + " the node differs:\n" + text);
    }

    Result<> make_fresh()
    {
        TORTIE_DO(wipe_node());
        TORTIE_DO(renew_pod());
        return drill_.furnish ? drill_.furnish() : Result<>();
    }

    // How the node looks before, with and after a container when nothing goes wrong. Without
    // prepare() the node has to look after DEL exactly as before ADD; with it, what one clean
    // round leaves (tables that everybody shares) may be there.
    void establish()
    {
        start("a clean ADD and DEL");
        if (auto fresh = make_fresh(); !fresh)
            find("cannot make the node fresh: " + fresh.error().what());
        if (!drill_.prepare) {
            expect_success("ADD", drill_.add);
            expect_success("DEL", drill_.del);
        }
        before_ = drill_.look();
        expect_success("ADD", drill_.add);
        added_ = drill_.look();
        expect_success("DEL", drill_.del);
        const Snapshot kept = drill_.look();
        if (difference(before_, added_).empty())
            find("ADD has no effect, the drill would prove nothing");
        if (drill_.prepare) {
            tolerated_ = before_;
            tolerated_.insert(kept.begin(), kept.end());
            before_ = common(before_, kept);
        }
        expect_as_before("afterwards");
    }

    const Drill &drill_;
    DrillReport report_;
    std::string about_;
    bool clean_ = true;
    std::size_t findings_ = 0;
    Snapshot before_;
    Snapshot added_;
    Snapshot tolerated_;
};

// A plugin begins with umask() (base/process.cc); calls before that are the dynamic loader's.
std::size_t first_own_call(const std::vector<SystemCall> &calls)
{
    const auto found = std::find_if(calls.begin(), calls.end(), [](const SystemCall &call) {
        return call.number == SYS_umask;
    });
    return found == calls.end() ? 0 : static_cast<std::size_t>(found - calls.begin());
}

// Calls `point` with every kill point until the plugin ends before it is reached.
template <class Point>
DrillReport kill_everywhere(const Drill &drill, const char *verb, Point &&point)
{
    Course course(drill);
    course.start(std::string(verb) + " undisturbed");
    const auto reference = course.disturb(drill.del, {});
    if (!reference || reference->calls.empty())
        return course.report();
    Disturbance disturbance{.kind = Kind::kKillAtEntry,
                            .at = {.process = 0, .index = first_own_call(reference->calls[0])}};
    while (!course.report().complete && !course.given_up()) {
        course.start(std::string(verb) + " number " + std::to_string(disturbance.at.index));
        if (!point(course, disturbance))
            break;
        course.finish();
        if (std::exchange(disturbance.kind, Kind::kKillAtExit) == Kind::kKillAtExit)
            ++disturbance.at.index;
    }
    return course.report();
}

// True when there is nothing left to kill.
bool is_over(Course &course, const char *verb, const Disturbance &disturbance, const Trace &trace)
{
    if (trace.disturbed) {
        const SystemCall &call = trace.calls[0][disturbance.at.index];
        course.about(std::string(verb) + ' ' + describe(disturbance, call));
        // exit_group() does not return: the process is gone before it can be killed.
        const bool last = disturbance.kind == Kind::kKillAtExit && trace.status == 0;
        if (trace.status != 128 + SIGKILL && !last)
            course.find("status " + std::to_string(trace.status) + " instead of its death");
        return false;
    }
    course.report().complete = trace.status == 0;
    if (!course.report().complete)
        course.find("the undisturbed run failed: " + trace.out + trace.err);
    return true;
}

// The calls of one undisturbed run that can fail, each with its faults.
struct FaultPoint {
    Disturbance disturbance;
    SystemCall call;
};

std::vector<FaultPoint> fault_points(const Trace &trace)
{
    std::vector<FaultPoint> points;
    for (std::size_t process = 0; process < trace.calls.size(); ++process) {
        const std::vector<SystemCall> &calls = trace.calls[process];
        const std::size_t first = first_own_call(calls);
        std::map<std::uint64_t, std::size_t> passed;  // number: calls so far
        for (std::size_t index = 0; index < calls.size(); ++index) {
            const SystemCall &call = calls[index];
            const CallSite at{process, passed[call.number]++, call.number};
            for (const Fault &fault : index < first ? std::vector<Fault>() : faults_of(call))
                points.push_back({{.kind = fault.kind, .at = at, .error = fault.error}, call});
        }
    }
    return points;
}

// A CNI error and exit 1, or success; a crash is neither.
void expect_answer(Course &course, const FaultPoint &point, const Trace &trace)
{
    // Code that may not go on in the wrong namespace ends at once, and says so (sys/netns.h).
    if (point.call.number == SYS_setns && trace.status == 128 + SIGABRT && !trace.err.empty())
        return;
    if (trace.status != 0 && trace.status != 1)
        course.find("status " + std::to_string(trace.status) + ": " + trace.err);
    const bool may_say_nothing = writes_answer(point.call);
    if (trace.status == 1 && !may_say_nothing && !is_cni_error(trace.out))
        course.find("no CNI error on stdout: '" + trace.out + "' " + trace.err);
}

// Runs `attempt` for every fault point of `call`, whose undisturbed run starts where `ready` has
// brought the node.
template <class Ready, class Attempt>
DrillReport fail_everywhere(const Drill &drill, const PluginCall &call, const char *verb,
                            Ready &&ready, Attempt &&attempt)
{
    Course course(drill);
    course.start(std::string(verb) + " undisturbed");
    ready(course);
    const auto reference = run_traced(call, {});
    if (!reference) {
        course.find("cannot trace: " + reference.error().what());
        return course.report();
    }
    course.expect_success("DEL", drill.del);

    for (const FaultPoint &point : fault_points(*reference)) {
        if (course.given_up())
            return course.report();
        bool reached = false;
        for (int tries = 0; tries < kTries && !reached; ++tries) {
            course.start(std::string(verb) + ": " + describe(point.disturbance, point.call));
            ready(course);
            const auto trace = course.disturb(call, point.disturbance);
            reached = trace && trace->disturbed;
            if (reached)
                attempt(course, point, *trace);
            else
                course.expect_success("DEL", drill.del);
            course.finish();
        }
        // A pipe may have been emptied by fewer reads this time.
        const bool may_vary =
            point.call.number == SYS_read || (drill.polls_the_kernel && point.call.on_netlink);
        if (!reached && !may_vary)
            course.find("the call was not reached again");
    }
    course.report().complete = true;
    return course.report();
}

}  // namespace

DrillReport kill_add_everywhere(const Drill &drill)
{
    return kill_everywhere(drill, "ADD", [&](Course &course, const Disturbance &disturbance) {
        auto trace = course.disturb(drill.add, disturbance);
        if (!trace || is_over(course, "ADD", disturbance, *trace)) {
            course.expect_success("DEL", drill.del);
            return trace;
        }
        course.expect_success("DEL", drill.del);
        course.expect_as_before("after DEL");
        course.expect_success("the next ADD", drill.add);
        if (course.report().points % kPointsPerAddedLook == 1)
            course.expect_added("after the next ADD");
        course.expect_success("its DEL", drill.del);
        return trace;
    });
}

DrillReport kill_del_everywhere(const Drill &drill)
{
    return kill_everywhere(drill, "DEL", [&](Course &course, const Disturbance &disturbance) {
        course.expect_success("ADD", drill.add);
        auto trace = course.disturb(drill.del, disturbance);
        if (!trace || is_over(course, "DEL", disturbance, *trace))
            return trace;
        course.expect_success("the next DEL", drill.del);
        course.expect_as_before("after the next DEL");
        return trace;
    });
}

DrillReport fail_add_everywhere(const Drill &drill)
{
    const auto nothing = [](Course &) {};
    return fail_everywhere(drill, drill.add, "ADD", nothing,
                           [&](Course &course, const FaultPoint &point, const Trace &trace) {
                               expect_answer(course, point, trace);
                               if (trace.status == 0)
                                   course.expect_added("after an ADD that succeeded");
                               else if (trace.status == 1 && !writes_answer(point.call))
                                   course.expect_as_before("after an ADD that failed");
                               course.expect_success("DEL", drill.del);
                               course.expect_as_before("after DEL");
                           });
}

DrillReport fail_del_everywhere(const Drill &drill)
{
    const auto add = [&](Course &course) { course.expect_success("ADD", drill.add); };
    return fail_everywhere(drill, drill.del, "DEL", add,
                           [&](Course &course, const FaultPoint &point, const Trace &trace) {
                               expect_answer(course, point, trace);
                               if (trace.status == 0 && !drill.del_always_succeeds)
                                   course.expect_as_before("after a DEL that succeeded");
                               course.expect_success("the next DEL", drill.del);
                               course.expect_as_before("after the next DEL");
                           });
}

}  // namespace tortie::test
