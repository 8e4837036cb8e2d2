"""The folder of uploads: in the home and for its owner alone, not in a folder of the machine that all users share.

Imported before Gradio, which reads its place when it is imported.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

FOLDER = "uploads"
VARIABLE = "GRADIO_TEMP_DIR"
KEPT_SECONDS = 24 * 3600


def prepare_upload_folder(home: Path) -> Path:
    """Create the folder, delete what has lain in it for a day, and tell Gradio; one that the user named stays as it is.

    An import that was stopped finds its files again if they are dropped again. Raises OSError.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named)
    folder = home / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    for upload in folder.iterdir():
        if upload.lstat().st_mtime < time.time() - KEPT_SECONDS:
            if upload.is_dir() and not upload.is_symlink():
                shutil.rmtree(upload, ignore_errors=True)
            else:
                upload.unlink(missing_ok=True)
    os.environ[VARIABLE] = str(folder)
    return folder
