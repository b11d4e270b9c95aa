"""The command ``seqgan completion``: scripts that complete commands, flags and values.

The scripts are made from the tables of commands and settings and hold every flag, so that a shell
starts no Python when the tabulator is pressed.
"""

from __future__ import annotations

from rich.console import Console

from ..config.describe import Setting, every_setting
from ..config.sharing import CompletionConfig
from .table import COMMANDS

__all__ = ["completion", "script"]

EVERYWHERE = ("help", "debug", "config", "print_config")
"""Flags that every command takes besides its settings."""

_BASH = """\
_seqgan() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    local command="${{COMP_WORDS[1]}}" words=""
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{commands}" -- "$current"))
        return
    fi
    case "$command $previous" in
{values}
    esac
    if [ -z "$words" ] && [[ "$current" == -* ]]; then
        case "$command" in
{flags}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _seqgan seqgan
"""
_ZSH = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"


def completion(settings: CompletionConfig, console: Console) -> int:
    """``seqgan completion``."""
    print(script(settings.shell), end="")
    return 0


def script(shell: str) -> str:
    """The script of a shell: bash, zsh or fish."""
    if shell == "fish":
        return _fish()
    return (_ZSH if shell == "zsh" else "") + _bash()


def _settings(command: str) -> dict[str, Setting]:
    """The settings of a command by name, those of all components included."""
    return every_setting(COMMANDS[command].settings)


def _flags(command: str) -> list[str]:
    return [*sorted(_settings(command)), *EVERYWHERE]


def _values(setting: Setting) -> list[str]:
    """The values that a setting may have, if they are few and named."""
    return list(setting.choices) or (["true", "false"] if setting.hint is bool else [])


def _bash() -> str:
    values = [
        f'        "{command} --{name}") words="{" ".join(found)}" ;;'
        for command in COMMANDS
        for name, each in _settings(command).items()
        if (found := _values(each))
    ]
    flags = [
        f'        {command}) words="{" ".join(f"--{name}" for name in _flags(command))}" ;;'
        for command in COMMANDS
    ]
    return _BASH.format(
        commands=" ".join(COMMANDS), values="\n".join(values), flags="\n".join(flags)
    )


def _fish() -> str:
    lines = ["complete -c seqgan -e"]
    for command, about in COMMANDS.items():
        summary = _quoted(about.summary)
        lines.append(f"complete -c seqgan -f -n __fish_use_subcommand -a {command} -d '{summary}'")
        here = f"-n '__fish_seen_subcommand_from {command}'"
        known = _settings(command)
        for name in _flags(command):
            found = _values(known[name]) if name in known else []
            more = f" -x -a '{' '.join(found)}'" if found else ""
            text = f" -d '{_quoted(known[name].about)}'" if name in known else ""
            lines.append(f"complete -c seqgan {here} -l {name}{more}{text}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text.split(";")[0].split(".")[0].replace("\\", "").replace("'", "")
