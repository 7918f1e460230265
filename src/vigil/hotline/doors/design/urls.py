"""Addresses of the design's files; a door includes them under ``assets/``."""

from django.urls import path

from vigil.hotline.doors.design import views

app_name = "design"
urlpatterns = [path("<slug:digest>/<str:name>", views.serve, name="asset")]
