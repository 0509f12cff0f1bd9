"""Reading compiled text: small programs written by hand in the compiler's syntax."""

import pytest

from benchmarks.aot.hlo import _computations, array_bytes, group_size, read_schedule
from benchmarks.aot.loops import loop_trips

PROGRAM = """\
HloModule jit_step, is_scheduled=true, num_partitions=4

%fused_computation (param_0.1: f32[8,128]) -> f32[8,128] {
  %param_0.1 = f32[8,128]{1,0:T(8,128)} parameter(0)
  ROOT %multiply.1 = f32[8,128]{1,0:T(8,128)} multiply(%param_0.1, %param_0.1), backend_config={"estimated_cycles":"7000000"}
}

%async_collective_fusion.1 (param_0.2: bf16[4,64]) -> bf16[16,64] {
  %param_0.2 = bf16[4,64]{1,0} parameter(0)
  ROOT %all-gather.5 = bf16[16,64]{1,0} all-gather(%param_0.2), channel_id=9, replica_groups=mesh['axis_0'=4,'axis_1'=1] {'axis_0'}, dimensions={0}
}

%async_collective_fusion.2 (param_0.3: bf16[4,64]) -> bf16[16,64] {
  %param_0.3 = bf16[4,64]{1,0} parameter(0)
  ROOT %all-gather.6 = bf16[16,64]{1,0} all-gather(%param_0.3), channel_id=9, replica_groups=mesh['axis_0'=4,'axis_1'=1] {'axis_0'}, dimensions={0}
}

%inner (arg.1: (s32[], f32[8,128])) -> (s32[], f32[8,128]) {
  %arg.1 = (s32[]{:T(128)}, f32[8,128]{1,0:T(8,128)}) parameter(0)
  %gte.1 = f32[8,128]{1,0} get-tuple-element(%arg.1), index=1
  %fusion.1 = f32[8,128]{1,0:T(8,128)S(1)} fusion(%gte.1), kind=kLoop, calls=%fused_computation, backend_config={"window_config":{"estimated_cycles":"10"}}
  ROOT %tuple.1 = (s32[], f32[8,128]{1,0}) tuple(%gte.1, %fusion.1)
}

%outer (arg.2: (s32[], f32[8,128])) -> (s32[], f32[8,128]) {
  %arg.2 = (s32[], f32[8,128]{1,0}) parameter(0)
  %while.1 = (s32[], f32[8,128]{1,0}) while(%arg.2), condition=%test, body=%inner, backend_config={"known_trip_count":{"n":"5"},"known_init_step":{"init":"0","step":"1"}}
  %reduce-scatter.1 = f32[2,128]{1,0} reduce-scatter(%while.1), channel_id=3, replica_groups={{0,1,2,3}}, dimensions={0}, to_apply=%add
  ROOT %tuple.2 = (s32[], f32[8,128]{1,0}) tuple(%while.1, %while.1)
}

%test (arg.3: (s32[], f32[8,128])) -> pred[] {
  %arg.3 = (s32[], f32[8,128]{1,0}) parameter(0)
  ROOT %compare.1 = pred[]{:T(512)} compare(%arg.3, %arg.3), direction=LT, backend_config={"estimated_cycles":"1"}
}

ENTRY %main.1_spmd (param: f32[8,128], param.1: bf16[4,64]) -> (s32[], f32[8,128]) {
  %param = f32[8,128]{1,0:T(8,128)} parameter(0), metadata={op_name="state"}
  %while.2 = (s32[], f32[8,128]{1,0}) while(%param), condition=%test, body=%outer, backend_config={"known_trip_count":{"n":"3"}}
  %while.3 = (s32[], f32[8,128]{1,0}) while(%param), condition=%test, body=%inner
  %fusion.2 = bf16[16,64]{1,0} fusion(%param), kind=kCustom, calls=%async_collective_fusion.1, backend_config={"estimated_cycles":"100"}
  %fusion.3 = bf16[16,64]{1,0} fusion(%param), kind=kCustom, calls=%async_collective_fusion.2, backend_config={"estimated_cycles":"200"}
  %all-reduce.1 = (f32[8,128]{1,0:T(8,128)S(1)}, /*index=1*/bf16[64]{0}) all-reduce(%param, %fusion.2), channel_id=1, replica_groups=[2,2]<=[4], to_apply=%add
  %all-gather-start.1 = ((f32[2,128]{1,0}, f32[2,128]{1,0}), (f32[8,128]{1,0}, f32[8,128]{1,0})) all-gather-start(%param, %param), channel_id=2, replica_groups={{0,1,2,3}}, dimensions={0}
  %all-gather-done.1 = (f32[8,128]{1,0}, f32[8,128]{1,0}) all-gather-done(%all-gather-start.1)
  %copy.1 = f32[8,128]{1,0} copy(%param)
  ROOT %tuple.3 = (s32[], f32[8,128]{1,0}) tuple(%while.2, %copy.1)
}
"""  # noqa: E501


@pytest.fixture(scope="module")
def schedule():
    return read_schedule(PROGRAM)


def test_cycles_are_multiplied_by_the_trips_of_every_loop_around(schedule):
    """inner runs 3·5 times in the known loops and once in the one of unknown length."""
    inner = 10 * (3 * 5 + 1)
    tests = 3 * 5 + 3 + 1  # one a trip of each loop
    assert schedule.cycles == inner + tests + 100 + 200
    assert schedule.unknown_loops == 1


def test_operations_inside_a_fusion_are_not_counted_beside_it(schedule):
    assert schedule.cycles < 7_000_000


def test_what_has_no_estimate_is_counted(schedule):
    assert (schedule.estimated, schedule.unestimated) == (7, 1)  # the copy
    assert schedule.unestimated_bytes == 4 * 8 * 128


# A matmul that passes its operand around a ring, as the compiler writes it: a counter that starts as a
# copy of 0 and grows by 2 below 9, and one that comes down from 20 by 3 while 2 is below it.
LOOPS = """\
HloModule jit_step, is_scheduled=true

%ring_body (p.0: (f32[8], u32[], u32[])) -> (f32[8], u32[], u32[]) {
  %two = u32[] constant(2)
  %p.0 = (f32[8]{0}, u32[]{:T(128)}, u32[]) parameter(0)
  %counter = u32[]{:T(128)} get-tuple-element(%p.0), index=1
  %permute = (f32[4]{0}, f32[4]{0}) collective-permute-start(%p.0), channel_id=7, source_target_pairs={{0,1},{1,0}}
  %next = u32[]{:T(128)} add(%counter, %two), backend_config={"flag_configs":[]}
  %bound = u32[] get-tuple-element(%p.0), index=2
  ROOT %tuple.0 = (f32[8]{0}, u32[], u32[]) tuple(%p.0, %next, %bound)
}

%ring_test (p.1: (f32[8], u32[], u32[])) -> pred[] {
  %p.1 = (f32[8]{0}, u32[]{:T(128)}, u32[]) parameter(0)
  %counter.1 = u32[]{:T(128)} get-tuple-element(%p.1), index=1
  %bound.1 = u32[] get-tuple-element(%p.1), index=2
  ROOT %compare.1 = pred[]{:T(512)} compare(%counter.1, %bound.1), direction=LT
}

%down_body (p.2: (s32[], f32[8])) -> (s32[], f32[8]) {
  %p.2 = (s32[], f32[8]{0}) parameter(0)
  %minus = s32[] constant(-3)
  %counter.2 = s32[] get-tuple-element(%p.2), index=0
  %copied = s32[] copy(%counter.2)
  %next.2 = s32[] add(%minus, %copied)
  ROOT %tuple.2 = (s32[], f32[8]{0}) tuple(%next.2, %p.2)
}

%down_test (p.3: (s32[], f32[8])) -> pred[] {
  %p.3 = (s32[], f32[8]{0}) parameter(0)
  %counter.3 = s32[] get-tuple-element(%p.3), index=0
  %two.3 = s32[] constant(2)
  ROOT %compare.3 = pred[] compare(%two.3, %counter.3), direction=LT
}

ENTRY %main (param: f32[8]) -> f32[8] {
  %param = f32[8]{0} parameter(0)
  %zero = u32[] constant(0)
  %start = u32[]{:T(128)} copy(%zero)
  %nine = u32[] constant(9)
  %twenty = s32[] constant(20)
  %state = (f32[8]{0}, u32[]{:T(128)}, /*index=2*/u32[]) tuple(%param, %start, %nine)
  %while.1 = (f32[8]{0}, u32[]{:T(128)}, u32[]) while(%state), condition=%ring_test, body=%ring_body
  %state.2 = (s32[], f32[8]{0}) tuple(%twenty, %param)
  %while.2 = (s32[], f32[8]{0}) while(%state.2), condition=%down_test, body=%down_body
  %given = (s32[], f32[8]{0}) tuple(%param, %param)
  %while.3 = (s32[], f32[8]{0}) while(%given), condition=%down_test, body=%down_body
  ROOT %done = f32[8]{0} get-tuple-element(%while.2), index=1
}
"""  # noqa: E501


def test_trips_that_the_compiler_did_not_note_are_read():
    """0, 2, 4, 6, 8 below 9; 20, 17, ... 5 above 2; one that starts at what is given is not known."""
    entry = LOOPS[LOOPS.index("ENTRY") :]
    computations, _ = _computations(LOOPS)
    trips = [
        loop_trips(instruction, computations["main"], computations)
        for instruction in computations["main"].values()
        if instruction.opcode == "while"
    ]
    assert entry.count("while(") == 3 and trips == [5, 6, None]
    schedule = read_schedule(LOOPS)
    assert schedule.unknown_loops == 1
    (permute,) = schedule.collectives  # in the ring's body
    assert (permute.times, permute.sent_bytes) == (5, 5 * 16)


def test_each_exchange_is_found_once(schedule):
    found = sorted((c.kind, c.array_bytes, c.group, c.times) for c in schedule.collectives)
    assert found == [
        ("all-gather", 2 * 16 * 64, 4, 1),  # in two fusions, with one channel
        ("all-gather", 2 * 4 * 8 * 128, 4, 1),
        ("all-reduce", 4 * 8 * 128 + 2 * 64, 2, 1),
        ("reduce-scatter", 4 * 8 * 128, 4, 3),
    ]


def test_exchanges_beside_each_other_may_share_a_channel():
    """As under pmap: 2 · 3/4 of 8 and of 12 floats."""
    text = """\
ENTRY %main (param: f32[2]) -> f32[2] {
  %param = f32[2]{0} parameter(0)
  %all-reduce-start = f32[2]{0} all-reduce-start(%param), channel_id=1, replica_groups={{0,1,2,3}}
  %all-reduce-start.1 = f32[3]{0} all-reduce-start(%param), channel_id=1, replica_groups={{0,1,2,3}}
  ROOT %same = f32[3]{0} all-reduce(%param), channel_id=1, replica_groups={{0,1,2,3}}
}
"""
    assert read_schedule(text).sent_bytes == 1.5 * (8 + 12 + 12)


def test_bytes_sent_on_a_ring(schedule):
    expected = 0.75 * 2048 + 0.75 * 8192 + 2 * 0.5 * 4224 + 3 * 0.75 * 4096
    assert schedule.sent_bytes == expected


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("f32[]{:T(128)}", 4),
        ("pred[3,5]", 15),
        ("bf16[2,3]{1,0:T(8,128)(2,1)S(1)}", 12),
        ("(f32[2], /*index=1*/s32[3]{0})", 20),
        ("token[]", 0),
    ],
)
def test_bytes_of_a_shape(shape, expected):
    assert array_bytes(shape) == expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("replica_groups={{0,1,2},{3,4,5}}, x", 3),
        ("replica_groups=[4,64]<=[16,16]T(1,0), x", 64),
        ("replica_groups=mesh['axis_0'=4,'axis_1'=8] {'axis_0','axis_1'}, x", 32),
        ("replica_groups=mesh['axis_0'=4,'axis_1'=8] {'axis_1'}, x", 8),
        ("no groups", 2),
    ],
)
def test_chips_of_a_group(attributes, expected):
    assert group_size(attributes) == expected
