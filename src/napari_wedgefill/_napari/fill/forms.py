"""Several magicgui forms in one container that is used as one form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from magicgui.signature import MagicParameter, MagicSignature
from magicgui.widgets import Container
from magicgui.widgets.bases import BaseValueWidget, Widget


class Forms(Container[Widget]):
    """A container whose fields are those of all its forms, wherever they lie.

    Parameters
    ----------
    forms : tuple of Container
        The forms; `gui_only` widgets are no fields.
    widgets : sequence of Widget
        What the container holds, the forms somewhere inside.
    name : str
        Name of the container.

    Attributes
    ----------
    is_setting : bool
        Whether fields are being set by the program and not by a user; see `setting`.
    """

    def __init__(
        self, forms: tuple[Container[Any], ...], widgets: Sequence[Widget], *, name: str
    ) -> None:
        self.forms = forms
        self.is_setting = False
        super().__init__(widgets=widgets, labels=False, name=name)

    def fields(self) -> Iterator[BaseValueWidget[Any]]:
        """Yield the fields of all forms."""
        for form in self.forms:
            yield from (widget for widget in form if widget.name and not widget.gui_only)

    def __getattr__(self, name: str) -> Any:
        """Return a field of any form by its name."""
        for form in self.__dict__.get("forms", ()):
            if (widget := form.get_widget(name)) is not None:
                return widget
        return super().__getattr__(name)

    def get_widget(self, name: str) -> Any:
        """Return a field of any form by its name, or None."""
        return next((w for w in self.fields() if w.name == name), None)

    def __dir__(self) -> list[str]:
        """List the fields beside what every container has."""
        return [*super().__dir__(), *(widget.name for widget in self.fields())]

    @property
    def __signature__(self) -> MagicSignature:
        """All fields with their values, as a signature."""
        return MagicSignature([MagicParameter.from_widget(widget) for widget in self.fields()])

    def asdict(self) -> dict[str, Any]:
        """Return the value of every field by name."""
        return {widget.name: widget.value for widget in self.fields()}

    def update(
        self, mapping: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), **values: Any
    ) -> None:
        """Set fields by name, and tell it once."""
        items = mapping.items() if isinstance(mapping, Mapping) else mapping
        with self.changed.blocked():
            for name, value in chain(items, values.items()):
                if (widget := self.get_widget(name)) is not None:
                    widget.value = value
        self.changed.emit(self)

    @contextmanager
    def setting(self) -> Iterator[None]:
        """Set fields without doing what follows where a user sets them."""
        was, self.is_setting = self.is_setting, True
        try:
            yield
        finally:
            self.is_setting = was
