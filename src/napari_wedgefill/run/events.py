"""What a run says and gives, one class for each kind of thing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..pipeline.box import Field
from ..pipeline.corrections import Corrections
from ..pipeline.events import Done, Finished
from ..prepare.bad_images import BadImage, note_useless_images
from ..prepare.report import Aligned
from ..progress import Progress
from ..trust.results_table import ResultsTable
from ..trust.verdicts import QuickCheck, SelfCheck, TrustMap

if TYPE_CHECKING:
    from PIL import Image

    from ..tilt_series import TiltSeries

__all__ = [
    "Aligned",
    "ComparisonPicture",
    "Done",
    "Field",
    "Finished",
    "ImagesCorrected",
    "ImagesOfNothing",
    "Progress",
    "QuickCheck",
    "ResultsTable",
    "RunEvent",
    "SelfCheck",
    "TrustMap",
]


@dataclass(frozen=True, eq=False)
class ImagesCorrected:
    """The series whose images had frames, slopes or uneven brightness, corrected."""

    series: TiltSeries
    corrections: Corrections


@dataclass(frozen=True)
class ImagesOfNothing:
    """Images that are filled as measurements, though they show nothing of the specimen."""

    images: tuple[BadImage, ...]

    @property
    def sentence(self) -> str:
        """Say which ones, and how to leave them out."""
        return "".join(note_useless_images(self.images))

    def to_dict(self) -> list[dict[str, Any]]:
        """Plain values, for the report."""
        return [asdict(image) for image in self.images]


@dataclass(frozen=True, eq=False)
class ComparisonPicture:
    """Orthoslices of every method side by side, see `comparison.compare`."""

    image: Image.Image


RunEvent = (
    Progress
    | Aligned
    | ImagesOfNothing
    | ImagesCorrected
    | Field
    | Finished
    | QuickCheck
    | SelfCheck
    | TrustMap
    | ResultsTable
    | ComparisonPicture
    | Done
)
