"""The speed measurement of the environments runs."""

from __future__ import annotations

import torch

from benchmarks.speed.environment import main


def test_every_line_is_measured(capsys):
    threads = torch.get_num_threads()
    main(["--steps", "200", "--repeats", "2", "--num-envs", "2", "3"])
    torch.set_num_threads(threads)
    lines = [line for line in capsys.readouterr().out.splitlines() if "median" in line]
    assert len(lines) == 2 * 5
    assert all(float(line.split(" median")[0].split()[-1].replace(",", "")) > 0 for line in lines)
