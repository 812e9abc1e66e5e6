"""The napari plugin: the only room that imports napari, qtpy or magicgui."""
