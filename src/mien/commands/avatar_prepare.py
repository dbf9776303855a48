"""What the first run with a new clip would do, done when the clip is made."""

from __future__ import annotations

from collections.abc import Callable

from mien.avatar.photo.checks import Advice


def prepare(name: str, on_progress: Callable[[float, str], None]) -> Advice | None:
    """Puts onto the disk what does not depend on sound, for the settings that are in force here:
    the clip's pictures in the size they are shown in, and each frame's features of the network.

    name: of one of the user's avatars, a clip. on_progress: called with 0…1 and what is made.
    Returns why it could not be done, if so; the avatar is good all the same, and the first run will
    say it again.
    """
    from mien.avatar.background import Background
    from mien.avatar.errors import AvatarError
    from mien.config import ConfigError, load_settings
    from mien.models.errors import ModelError
    from mien.mouths import MouthError, Mouths

    try:
        settings = load_settings(avatar=name)
        if settings.lipsync.cache != "disk":
            return None
        mouths = Mouths(settings.lipsync)
        missing = mouths.why_not(("wav2lip",))
        if missing is not None:
            return Advice(missing.code, missing.en, missing.zh)
        from mien.cli import quiet_logs

        quiet_logs(verbose=False)  # before libraries greet
        from mien.services import make_player, picture_size

        try:
            make_player(name, picture_size(settings), Background(), mouths, on_progress)
        finally:
            mouths.close()
    except ModelError as error:
        return Advice(error.code, error.en, error.zh)
    except (ConfigError, AvatarError, MouthError) as error:
        return Advice(
            "not_prepared",
            f"The lips could not be prepared: {error}",
            f"未能预先准备口型：{error}",
        )
    return None
